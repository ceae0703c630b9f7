"use strict";
// Helpers for all parts of the page: texts in the chosen language, elements without HTML strings, and copying.
self.inspector = (() => {
  const texts = self.inspectorTexts;
  let language = (navigator.language ?? "").toLowerCase().startsWith("zh") ? 1 : 0;
  const renders = [];

  /** Returns the text `key` in the chosen language, with values for `{0}` and `{1}`. */
  const t = (key, ...values) =>
    (texts[key]?.[language] ?? key).replace(/\{(\d)\}/g, (_, index) => values[index]);
  const has = (key) => Boolean(texts[key]?.[language]);

  const byId = (id) => document.getElementById(id);

  /** Creates an element. `properties` are attributes, or listeners (`on...`). Children are elements or plain text. */
  const el = (name, properties = {}, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(properties)) {
      if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
      else if (value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : value);
    }
    element.append(...children.filter((child) => child !== undefined && child !== null));
    return element;
  };

  const setText = () => {
    document.documentElement.lang = language ? "zh-CN" : "en";
    for (const element of document.querySelectorAll("[data-text]")) element.textContent = t(element.dataset.text);
    for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", t(element.dataset.label));
    for (const element of document.querySelectorAll("[data-placeholder]")) element.placeholder = t(element.dataset.placeholder);
    for (const render of renders) render();
  };

  /** Announces `text` to screen readers. */
  const say = (text) => {
    byId("said").textContent = text;
  };

  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = el("textarea", { class: "visually-hidden", "aria-hidden": "true" });
      area.value = text;
      const focused = document.activeElement;
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      focused?.focus();
      if (!done) return false;
    }
    return true;
  };

  /** Creates a button that copies the result of the function `text`. */
  const copyButton = (label, text, id) =>
    el(
      "button",
      {
        type: "button",
        id,
        onclick: async (event) => {
          const button = event.currentTarget;
          const done = await copy(text());
          say(t(done ? "copied" : "copyFailed"));
          if (done) {
            button.textContent = `✓ ${t("copied")}`;
            setTimeout(() => (button.textContent = label), 1500);
          }
        },
      },
      label,
    );

  const DOTS = "••••••";

  /** Creates the placeholder for a hidden secret. */
  const redacted = (length) => el("span", { class: "redacted", title: t("redacted", length) }, DOTS);

  /** Shows the lines of a request in `list`, with secrets only if `revealed` is true. */
  const showLines = (list, lines, revealed) => {
    list.replaceChildren(
      ...lines.map((line) =>
        el("li", {}, ...line.map((span) => {
          if (!span.secret) return span.text;
          return revealed ? el("span", { class: "secret" }, span.text) : redacted(span.text.length);
        })),
      ),
    );
  };

  const plainLines = (lines, revealed) =>
    lines.map((line) => line.map((span) => (span.secret && !revealed ? DOTS : span.text)).join("")).join("\n");

  /** Formats a number of seconds with its two largest units. */
  const duration = (seconds) => {
    const units = [[86400, "d", "天"], [3600, "h", "小时"], [60, "min", "分"], [1, "s", "秒"]];
    let rest = Math.abs(Math.trunc(seconds));
    const counts = units.map(([size, ...names]) => {
      const count = Math.floor(rest / size);
      rest -= count * size;
      return [count, language ? `${count}${names[1]}` : `${count} ${names[0]}`];
    });
    const first = counts.findIndex(([count]) => count > 0);
    const parts = first < 0 ? counts.slice(-1) : counts.slice(first, first + 2);
    return parts.map(([, text]) => text).join(" ");
  };

  return {
    t,
    has,
    el,
    byId,
    say,
    copyButton,
    redacted,
    showLines,
    plainLines,
    duration,
    DOTS,
    /** Registers `render`, which runs whenever the language changes. */
    onLanguage: (render) => renders.push(render),
    setText,
    switchLanguage: () => {
      language = 1 - language;
      setText();
    },
  };
})();
