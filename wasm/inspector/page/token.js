"use strict";
// The first tab: shows the contents and the checks of a token.
(() => {
  const { t, has, el, byId, say, copyButton, redacted, showLines, plainLines, duration, DOTS } = self.inspector;

  /** The maximum length that the module accepts. It is slightly less than a page can show at once. */
  const MAX_BYTES = 256 * 1024;
  const GROUPS = {
    prefix: "prefix", structure: "structure", unsignedClusterId: "unsigned", method: "request", path: "request",
    address: "unsigned", clusterId: "cluster", extraQuery: "unknown", algorithm: "signature", credential: "identity",
    signedHeaders: "signature", signature: "signature", action: "request", contentHash: "request", date: "time",
    nonce: "time", securityToken: "identity", apiVersion: "request", format: "unsigned", userAgent: "unsigned",
    unknown: "unknown", unreadable: "unknown",
  };

  const pasted = byId("pasted");
  let call;
  /** The result of the module for the text, or the reason that there is none. */
  let answer;
  let revealed = false;
  /** The number of seconds by which the server's clock is ahead. */
  let skew = 0;

  const now = () => Math.floor(Date.now() / 1000) + skew;

  const input = () => ({
    text: pasted.value,
    chosen: Number(byId("chosen").value || 0),
    clusterId: byId("cluster-id").value,
    acceptV1: byId("accept-v1").checked,
    extraQueryKeys: byId("extra-keys").value.split(",").map((key) => key.trim()).filter(Boolean),
    now: now(),
  });

  const bytesOf = (text) => new TextEncoder().encode(text).length;

  const inspect = () => {
    if (!call) return undefined;
    if (pasted.value.trim() === "") return { error: { code: "empty" } };
    if (pasted.value.length > MAX_BYTES) return tooLarge(bytesOf(pasted.value));
    return call("inspect", input());
  };

  const tooLarge = (bytes) => ({ error: { code: "tooLarge", values: [bytes, MAX_BYTES] } });

  const update = () => {
    answer = inspect();
    render();
  };

  const render = () => {
    if (!answer) return;
    const ok = answer.ok;
    renderVerdict();
    byId("which").hidden = !ok || ok.origins.length < 2;
    pasted.classList.toggle("masked", Boolean(ok) && !revealed && ok.anatomy.some((segment) => segment.secret));
    for (const id of ["anatomy", "facts-card", "checks-card", "fields-card", "rebuilt-card", "report-card"]) {
      byId(id).hidden = true;
    }
    if (!ok) return;
    renderChoice(ok);
    renderAnatomy(ok);
    renderFacts(ok);
    renderChecks(ok);
    renderFields(ok);
    renderRebuilt(ok);
    renderReport(ok);
  };

  const verdict = (kind, title, ...content) => {
    const card = byId("verdict");
    card.className = `card verdict ${kind}`;
    // Replaced only if it changes, because screen readers read out a changed status.
    const next = el("div", {}, el("h2", {}, title), ...content);
    if (card.firstElementChild?.innerHTML !== next.innerHTML) card.replaceChildren(next);
  };

  const renderVerdict = () => {
    const { ok, error } = answer;
    if (error) {
      if (error.code === "empty") {
        verdict(
          "",
          t("empty.title"),
          el("p", {}, t("empty.text")),
          el("p", {}, el("code", {}, "ack-ram-authenticator token --cluster-id ID")),
        );
        return;
      }
      verdict("odd", t(`error.${error.code}`), el("p", {}, t(`error.${error.code}Text`, ...(error.values ?? []))));
      return;
    }
    const { inspection } = ok;
    const failed = inspection.checks.filter((check) => check.status === "failed");
    if (failed.some((check) => check.code === "not_ours")) {
      verdict("odd", t("verdict.notOurs"), el("p", {}, t("verdict.notOursText", kindText(inspection.kind))));
    } else if (inspection.passes) {
      verdict("good", t("verdict.passes"), el("p", {}, t("verdict.passesText")));
    } else {
      verdict(
        "bad",
        t("verdict.fails"),
        el("p", {}, t("verdict.failsText", failed.length, inspection.checks.length)),
        el("ul", {}, ...failed.map((check) => el("li", {}, t(`check.${check.name}`)))),
      );
    }
  };

  const kindText = (kind) => t(`kind${kind[0].toUpperCase()}${kind.slice(1)}`);

  const renderChoice = ({ origins, chosen, more }) => {
    if (origins.length < 2) return;
    byId("chosen").replaceChildren(
      ...origins.map((origin, index) => {
        const option = el("option", { value: String(index) }, t("whichToken", index + 1, t(`origin.${origin}`)));
        option.selected = index === chosen;
        return option;
      }),
    );
    byId("chosen").title = more ? t("whichMore", origins.length) : "";
  };

  const segmentElement = (segment, side) => {
    const group = GROUPS[segment.part];
    const text = segment[side];
    const isHidden = segment.secret && !revealed;
    const content = isHidden ? redacted(text.length) : text;
    return el("span", { class: `piece${segment.secret && revealed ? " secret" : ""}`, "data-group": group, "data-part": segment.part }, content);
  };

  const renderAnatomy = ({ anatomy }) => {
    byId("anatomy").hidden = anatomy.length === 0;
    byId("encoded").replaceChildren(...anatomy.map((segment) => segmentElement(segment, "encoded")));
    byId("decoded").replaceChildren(...anatomy.slice(1).map((segment) => segmentElement(segment, "text")));
    const hasSecrets = anatomy.some((segment) => segment.secret);
    const reveal = byId("reveal");
    reveal.hidden = !hasSecrets;
    reveal.textContent = t(revealed ? "unreveal" : "reveal");
    reveal.setAttribute("aria-pressed", String(revealed));
    byId("copy-token").replaceChildren(
      copyButton(t(revealed ? "copySecret" : "copyRedacted"), () =>
        anatomy.map((segment) => (segment.secret && !revealed ? DOTS : segment.encoded)).join(""),
      ),
    );
  };

  /** Returns the names and values of the facts about a token. */
  const facts = (inspection) => {
    const contents = inspection.contents ?? {};
    const age = inspection.ageSeconds;
    return [
      ["kind", kindText(inspection.kind)],
      ["reference", inspection.reference],
      ["bytes", t("bytes", inspection.bytes)],
      ["key", contents.accessKeyId],
      ["keyKind", contents.accessKeyId && t(contents.temporary ? "keyTemporary" : "keyPermanent")],
      ["cluster", contents.clusterId],
      ["unsignedCluster", contents.unsignedClusterId],
      ["date", contents.date],
      ["age", age === undefined ? undefined : t(age < 0 ? "ahead" : "ago", duration(age))],
      ["expires", inspection.expires],
      ["userAgent", contents.userAgent],
      ["undecoded", inspection.undecoded],
    ]
      .filter(([, value]) => value !== undefined && value !== null)
      .map(([name, value]) => [t(`fact.${name}`), value, name]);
  };
  self.inspector.facts = facts;

  const renderFacts = ({ inspection }) => {
    byId("facts-card").hidden = false;
    byId("facts").replaceChildren(
      ...facts(inspection).flatMap(([label, value, name]) => [
        el("dt", {}, label),
        el("dd", { "data-fact": name }, value),
      ]),
    );
    tick();
  };

  const MARKS = { passed: "✓", failed: "✗", notChecked: "?" };

  const renderChecks = ({ inspection }) => {
    byId("checks-card").hidden = false;
    byId("checks").replaceChildren(
      ...inspection.checks.map((check) =>
        el(
          "li",
          { class: check.status, "data-check": check.name, "data-code": check.code },
          el("span", { class: "mark", "aria-hidden": "true" }, MARKS[check.status]),
          el(
            "div",
            {},
            el("span", {}, t(`check.${check.name}`)),
            el("span", { class: "state" }, t(`state.${check.status}`)),
            check.code && has(`code.${check.code}`) ? el("p", {}, t(`code.${check.code}`)) : undefined,
            check.reason ? el("p", { class: "why", lang: "en" }, check.reason) : undefined,
            check.advice ? el("p", { class: "advice", lang: "en" }, check.advice) : undefined,
          ),
        ),
      ),
    );
  };

  const highlight = (part, isLit) => {
    for (const piece of document.querySelectorAll(`.piece[data-part="${part}"]`)) piece.classList.toggle("lit", isLit);
  };

  const renderFields = ({ anatomy }) => {
    const named = anatomy.filter((segment) => segment.part !== "structure");
    byId("fields-card").hidden = named.length === 0;
    byId("fields").replaceChildren(
      ...named.map((segment) => {
        const badge = segment.signed === undefined ? undefined : segment.signed ? "signed" : "unsigned";
        const value = segment.secret && !revealed ? redacted(segment.text.length) : segment.text;
        return el(
          "li",
          {
            "data-field": segment.part,
            onmouseenter: () => highlight(segment.part, true),
            onmouseleave: () => highlight(segment.part, false),
          },
          el("span", { class: "swatch", "data-group": GROUPS[segment.part], "aria-hidden": "true" }),
          el(
            "div",
            { class: "body" },
            el("strong", {}, t(`part.${segment.part}`)),
            badge ? el("span", { class: `badge ${badge}` }, t(badge)) : undefined,
            segment.secret && !revealed ? el("span", { class: "badge hidden" }, t("redacted", segment.text.length)) : undefined,
            el("span", { class: "value" }, value),
            el("span", { class: "about" }, t(`about.${segment.part}`)),
          ),
        );
      }),
    );
  };

  const renderRebuilt = ({ rebuilt, inspection }) => {
    byId("rebuilt-card").hidden = !rebuilt;
    if (!rebuilt) return;
    byId("rebuilt-hint").textContent = t(inspection.passes ? "rebuiltHint" : "rebuiltNotSent");
    showLines(byId("request"), rebuilt.request, revealed);
    byId("canonical-part").hidden = rebuilt.canonical.length === 0;
    showLines(byId("canonical"), rebuilt.canonical, revealed);
    showLines(byId("string-to-sign"), rebuilt.stringToSign, revealed);
    byId("copy-request").replaceChildren(
      copyButton(t(revealed ? "copySecret" : "copyRedacted"), () =>
        [rebuilt.request, rebuilt.canonical, rebuilt.stringToSign]
          .filter((lines) => lines.length > 0)
          .map((lines) => plainLines(lines, revealed))
          .join("\n\n"),
      ),
    );
  };

  const renderReport = ({ inspection }) => {
    byId("report-card").hidden = false;
    const json = JSON.stringify(inspection, null, 2);
    const text = self.inspector.report(inspection, now());
    byId("report").textContent = text;
    byId("json").textContent = json;
    byId("copy-report").replaceChildren(
      copyButton(t("copyReport"), () => text),
      copyButton(t("copyJson"), () => `${json}\n`),
    );
  };

  /** Updates the texts that change with time. */
  const tick = () => {
    const expires = answer?.ok?.inspection.expires;
    const left = Date.parse(expires) / 1000 - now();
    // Browsers do not accept dates with years of five digits.
    byId("clock").hidden = !Number.isFinite(left);
    if (!Number.isFinite(left)) return;
    byId("countdown").textContent = left > 0 ? duration(left) : t("expiredFor", duration(left));
    byId("left").value = Math.max(0, Math.min(900, left));
    const age = document.querySelector('[data-fact="age"]');
    const seconds = 900 - left;
    if (age) age.textContent = t(seconds < 0 ? "ahead" : "ago", duration(seconds));
  };

  const everySecond = () => {
    if (!answer?.ok || document.hidden) return;
    tick();
    const next = inspect();
    const states = (result) => result?.ok?.inspection.checks.map((check) => check.code ?? check.status).join();
    if (states(next) !== states(answer)) {
      answer = next;
      render();
    }
  };

  const resetChoice = () => {
    revealed = false;
    byId("chosen").replaceChildren();
    update();
  };

  /** Replaces the input with `text`, unless the page cannot show that much. */
  const take = (text) => {
    if (text.length > MAX_BYTES) {
      pasted.value = "";
      answer = tooLarge(bytesOf(text));
      render();
      return;
    }
    pasted.value = text;
    resetChoice();
  };

  const refuse = (error) => {
    pasted.value = "";
    answer = { error };
    render();
  };

  const takeFile = async (file) => {
    if (file.size > MAX_BYTES) {
      refuse({ code: "tooLarge", values: [file.size, MAX_BYTES] });
      return;
    }
    let text;
    try {
      text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
    } catch {
      text = "\0";
    }
    if (text.includes("\0")) refuse({ code: "binary" });
    else take(text);
  };

  const readServerDate = () => {
    const text = byId("server-date").value.trim();
    const date = Date.parse(text.replace(/^date:\s*/i, ""));
    const isDate = text !== "" && !Number.isNaN(date);
    skew = isDate ? Math.round((date - Date.now()) / 1000) : 0;
    const skewText = () => {
      if (text === "") return "";
      if (!isDate) return t("skewNone");
      if (Math.abs(skew) < 2) return t("skewSame");
      return t(skew > 0 ? "skewAhead" : "skewBehind", duration(skew));
    };
    byId("skew").textContent = skewText();
  };

  /** Creates a token with a demonstration key, which gives no access. */
  const demo = (age, clusterId) => {
    const made = call("sign", {
      accessKeyId: "STS.NSdemonstration0001",
      accessKeySecret: "a-demonstration-opens-nothing",
      securityToken: "CAISdemonstrationSecurityTokenOpensNothingAnywhere0001",
      clusterId,
      userAgent: "ack-ram-authenticator/demonstration (linux/amd64)",
      date: new Date((Math.floor(Date.now() / 1000) - age) * 1000).toISOString().replace(/\.\d+Z/, "Z"),
    });
    return made.ok?.token ?? "";
  };

  const start = async () => {
    pasted.addEventListener("input", resetChoice);
    pasted.addEventListener("paste", (event) => {
      const text = event.clipboardData?.getData("text/plain") ?? "";
      const whole = pasted.value.length - (pasted.selectionEnd - pasted.selectionStart) + text.length;
      if (whole <= MAX_BYTES) return;
      event.preventDefault();
      take(text.length > MAX_BYTES ? text : pasted.value + text);
    });
    const drop = byId("drop");
    for (const name of ["dragenter", "dragover"]) {
      drop.addEventListener(name, (event) => {
        event.preventDefault();
        drop.classList.add("dragged");
      });
    }
    drop.addEventListener("dragleave", () => drop.classList.remove("dragged"));
    drop.addEventListener("drop", (event) => {
      event.preventDefault();
      drop.classList.remove("dragged");
      const [file] = event.dataTransfer.files;
      if (file) takeFile(file);
      else take(event.dataTransfer.getData("text/plain"));
    });
    // Otherwise, the browser would open a file that is dropped outside the field in place of the page.
    for (const name of ["dragover", "drop"]) document.addEventListener(name, (event) => event.preventDefault());
    byId("file").addEventListener("change", (event) => {
      const [file] = event.target.files;
      if (file) takeFile(file);
      event.target.value = "";
    });
    byId("clear").addEventListener("click", () => {
      take("");
      pasted.focus();
    });
    byId("example").addEventListener("click", () => take(demo(42, "c0123456789abcdef0123456789abcdef")));
    byId("example-broken").addEventListener("click", () => {
      byId("cluster-id").value = "c0123456789abcdef0123456789abcdef";
      byId("circumstances").open = true;
      take(demo(5400, "cffffffffffffffffffffffffffffffff"));
    });
    byId("reveal").addEventListener("click", () => {
      revealed = !revealed;
      render();
    });
    byId("chosen").addEventListener("change", () => {
      revealed = false;
      update();
    });
    for (const id of ["cluster-id", "extra-keys"]) byId(id).addEventListener("input", update);
    byId("accept-v1").addEventListener("change", update);
    byId("server-date").addEventListener("input", () => {
      readServerDate();
      update();
    });
    self.inspector.onLanguage(() => {
      readServerDate();
      render();
    });
    try {
      call = await self.inspector.modules.open("decode");
    } catch (error) {
      console.error(error);
      answer = { error: { code: "module" } };
      render();
      return;
    }
    // The first call is slow, because the browser compiles code when it first runs. Run it before the user waits for it.
    call("inspect", { ...input(), text: demo(0, "warm-up"), clusterId: "" });
    update();
    setInterval(everySecond, 1000);
    document.documentElement.dataset.ready = "true";
  };

  self.inspector.token = { start, take, call: (...input) => call(...input), inspection: () => answer?.ok?.inspection };
})();
