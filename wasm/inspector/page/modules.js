"use strict";
// The WebAssembly modules, which come as base64 in a script: a page that may open no connection cannot fetch them.
(() => {
  const bytesOf = (base64) =>
    Uint8Array.fromBase64?.(base64) ?? Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));

  const compile = async (name) => {
    const packed = new Blob([bytesOf(self.inspectorModules[name].gzip)]);
    const unpacked = packed.stream().pipeThrough(new DecompressionStream("gzip"));
    return WebAssembly.compile(await new Response(unpacked).arrayBuffer());
  };

  // The only script that is loaded later is one of these files; the browser holds the page to it.
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

  /** The module `name`: a function that calls one of its functions with JSON and gives JSON. */
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
        // After a panic its memory may be in any state.
        instance = undefined;
        console.warn("the module stopped and is started anew");
        return { error: { code: "broken", text: String(error?.message ?? "") } };
      }
    };
  };

  self.inspector.modules = { open, loadScript };
})();
