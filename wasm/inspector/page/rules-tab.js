"use strict";
// Loads the playground when its tab is opened. It is ten times as large as the rest of the page.
(() => {
  const { t, el, byId } = self.inspector;
  let isOpen = false;

  self.inspector.rules = {
    open: async () => {
      if (isOpen) return;
      isOpen = true;
      const panel = byId("panel-rules");
      panel.replaceChildren(el("p", { class: "card", role: "status" }, t("rulesLoading")));
      try {
        for (const name of ["rules", "playground"]) await self.inspector.modules.loadScript(name);
        await self.inspector.playground.start();
        panel.dataset.ready = "true";
      } catch (error) {
        console.error(error);
        isOpen = false;
        panel.replaceChildren(el("div", { class: "card verdict odd", role: "alert" }, el("h2", {}, t("error.module")), el("p", {}, t("error.moduleText"))));
      }
    },
  };
})();
