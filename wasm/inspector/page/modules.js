"use strict";
// Loads the WebAssembly modules. They are base64 in scripts, because the page may not open connections and so cannot
// fetch files.
(() => {
  const bytesOf = (base64) =>
    Uint8Array.fromBase64?.(base64) ?? Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));

  const compile = async (name) => {
    const packed = new Blob([bytesOf(self.inspectorModules[name].gzip)]);
    const unpacked = packed.stream().pipeThrough(new DecompressionStream("gzip"));
    return WebAssembly.compile(await new Response(unpacked).arrayBuffer());
  };

  // The only scripts that the page may load later. The Trusted Types policy makes the browser enforce this.
  const LATER = { rules: "rules.js", playground: "playground.js" };
  const policy = self.trustedTypes?.createPolicy("inspector", {
    createScriptURL: (name) => {
      if (!Object.hasOwn(LATER, name)) throw new TypeError("not a script of this page");
      return LATER[name];
    },
  });

  const loadScript = (name) =>
    new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.onload = resolve;
      script.onerror = () => reject(new Error(`${name} is missing`));
      script.src = policy ? policy.createScriptURL(name) : LATER[name];
      document.head.append(script);
    });

  /** Opens the module `name`. Returns a function that calls a function of the module with JSON and returns JSON. */
  const open = async (name) => {
    const module = await compile(name);
    let instance;
    return (call, input) => {
      if (!instance) {
        instance = self.inspectorModules[name].bind();
        instance.initSync({ module });
      }
      try {
        return JSON.parse(instance[call](JSON.stringify(input)));
      } catch (error) {
        // After a panic, the memory of the module may be inconsistent.
        instance = undefined;
        console.warn("the module stopped and will be restarted");
        return { error: { code: "broken", text: String(error?.message ?? "") } };
      }
    };
  };

  self.inspector.modules = { open, loadScript };
})();
