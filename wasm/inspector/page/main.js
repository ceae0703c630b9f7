"use strict";
// Starts the page: sets up the tabs, the theme and the language.
(() => {
  const { t, byId, onLanguage, setText, switchLanguage } = self.inspector;
  const TABS = ["token", "rules", "sign"];
  const THEMES = ["system", "light", "dark"];
  let theme = 0;

  const showTab = (name) => {
    for (const other of TABS) {
      const isShown = other === name;
      const tab = byId(`tab-${other}`);
      tab.setAttribute("aria-selected", String(isShown));
      tab.tabIndex = isShown ? 0 : -1;
      byId(`panel-${other}`).hidden = !isShown;
    }
    self.inspector[name]?.open?.();
    byId(`tab-${name}`).focus();
  };
  self.inspector.showTab = showTab;

  for (const [index, name] of TABS.entries()) {
    const tab = byId(`tab-${name}`);
    tab.addEventListener("click", () => showTab(name));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) showTab(TABS[(index + step + TABS.length) % TABS.length]);
      else if (event.key === "Home") showTab(TABS[0]);
      else if (event.key === "End") showTab(TABS.at(-1));
      else return;
      event.preventDefault();
    });
  }

  const renderSwitches = () => {
    byId("language").textContent = t("toChinese");
    byId("language").lang = document.documentElement.lang === "en" ? "zh-CN" : "en";
    byId("theme").textContent = t(["themeSystem", "themeLight", "themeDark"][theme]);
  };
  byId("language").addEventListener("click", switchLanguage);
  byId("theme").addEventListener("click", () => {
    theme = (theme + 1) % THEMES.length;
    if (theme === 0) delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = THEMES[theme];
    renderSwitches();
  });
  onLanguage(renderSwitches);
  setText();
  self.inspector.token.start();
})();
