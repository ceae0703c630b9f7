"use strict";
// The third tab: creates a token from a key, step by step.
(() => {
  const { t, el, byId, copyButton, showLines, plainLines } = self.inspector;
  const form = byId("sign");
  const DEMO = {
    accessKeyId: "LTAI5tDemonstration001",
    accessKeySecret: "a-demonstration-opens-nothing",
    securityToken: "",
    clusterId: "c0123456789abcdef0123456789abcdef",
    userAgent: "my-client/1.0 (linux/amd64)",
  };

  const setNow = () => {
    form.elements.date.value = new Date().toISOString().replace(/\.\d+Z/, "Z");
  };

  const reset = () => {
    for (const [name, value] of Object.entries(DEMO)) form.elements[name].value = value;
    setNow();
    render();
  };

  const step = (name, lines) => {
    const list = el("ol", { class: "code lines", tabindex: "0", role: "list", "aria-label": t(`step.${name}`) });
    // The key is for demonstration, so nothing is hidden.
    showLines(list, lines, true);
    return el(
      "li",
      { class: "card", "data-step": name },
      el("div", { class: "head" }, el("h2", {}, t(`step.${name}`)), copyButton(t("copy"), () => plainLines(lines, true))),
      el("p", { class: "hint" }, t(`step.${name}About`)),
      list,
    );
  };

  const plain = (text) => [[{ text, secret: false }]];

  const render = () => {
    const input = Object.fromEntries([...Object.keys(DEMO), "date"].map((name) => [name, form.elements[name].value]));
    const { ok, error } = self.inspector.token.call("sign", input);
    byId("sign-error").hidden = !error;
    byId("steps").hidden = !ok;
    for (const field of form.querySelectorAll("input")) field.removeAttribute("aria-invalid");
    if (error) {
      form.elements[error.code]?.setAttribute("aria-invalid", "true");
      byId("sign-error").textContent = t(`sign.${error.code}`);
      return;
    }
    byId("steps").replaceChildren(
      step("canonical", ok.canonicalRequest),
      step("string", ok.stringToSign),
      step("signature", plain(ok.signature)),
      step("authorization", ok.authorization),
      step("json", plain(ok.json)),
      step("token", plain(ok.token)),
    );
    byId("steps").lastElementChild.append(
      el("p", { class: "buttons" }, el("button", {
        type: "button",
        class: "primary",
        id: "inspect-it",
        onclick: () => {
          self.inspector.token.take(ok.token);
          self.inspector.showTab("token");
        },
      }, t("inspectIt"))),
    );
  };

  let isOpen = false;
  self.inspector.sign = {
    open: () => {
      if (isOpen) return;
      isOpen = true;
      form.addEventListener("input", render);
      form.addEventListener("submit", (event) => event.preventDefault());
      form.addEventListener("reset", (event) => {
        event.preventDefault();
        reset();
      });
      byId("sign-now").addEventListener("click", () => {
        setNow();
        render();
      });
      self.inspector.onLanguage(render);
      reset();
    },
  };
})();
