//! The WebAssembly module of the decision, run by wasmtime.

use std::env;
use std::fs;

use wasmtime::{Engine, Instance, Memory, Module, Store, TypedFunc};

/// Compiles the module whose path is in the environment variable `name`.
///
/// # Panics
/// If the variable is not set, or is not the path of a module.
pub fn load(name: &str) -> Module {
    let path =
        env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `cargo xtask test`"));
    Module::new(&Engine::default(), fs::read(path).expect("the module")).expect("a module")
}

/// An instance of a module.
pub struct Guest {
    store: Store<()>,
    memory: Memory,
    alloc: TypedFunc<u32, u32>,
    dealloc: TypedFunc<(u32, u32), ()>,
    run: TypedFunc<(u32, u32), u64>,
}

impl Guest {
    /// Instantiates `module`.
    ///
    /// # Panics
    /// If the module has an import, or lacks an export.
    pub fn new(module: &Module) -> Self {
        let mut store = Store::new(module.engine(), ());
        let instance = Instance::new(&mut store, module, &[]).unwrap();
        Self {
            memory: instance.get_memory(&mut store, "memory").unwrap(),
            alloc: instance.get_typed_func(&mut store, "alloc").unwrap(),
            dealloc: instance.get_typed_func(&mut store, "dealloc").unwrap(),
            run: instance.get_typed_func(&mut store, "run").unwrap(),
            store,
        }
    }

    /// Calls the module with `input`, frees both memory blocks, and returns the output.
    ///
    /// # Panics
    /// If the module traps.
    pub fn run(&mut self, input: &[u8]) -> Vec<u8> {
        let length = u32::try_from(input.len()).unwrap();
        let address = self.alloc.call(&mut self.store, length).unwrap();
        self.memory
            .write(&mut self.store, address as usize, input)
            .unwrap();
        let block = self.run.call(&mut self.store, (address, length)).unwrap();
        let (answer, answer_length) = ((block >> 32) as u32, block as u32);
        let mut output = vec![0; answer_length as usize];
        self.memory
            .read(&self.store, answer as usize, &mut output)
            .unwrap();
        for block in [(address, length), (answer, answer_length)] {
            self.dealloc.call(&mut self.store, block).unwrap();
        }
        output
    }

    /// Returns the size of the memory of the module, in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.memory.data_size(&self.store)
    }
}
