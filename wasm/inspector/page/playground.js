"use strict";
// The second tab: shows how configurations map an identity. The script is loaded when the tab is opened.
(() => {
  const { t, el, byId, copyButton, onLanguage } = self.inspector;
  const MAX_BYTES = 1024 * 1024;
  /** The delay in milliseconds after typing before the text is evaluated. Pasted text is evaluated immediately. */
  const PAUSE = 150;

  const EXAMPLE_OLD = `clusterID: c0123456789abcdef0123456789abcdef
server:
  backendMode: [MountedFile, CRD]
  mapUsers:
    - userARN: acs:ram::1234567890123456:user/alice
      username: alice
      groups: ["developers"]
  mapRoles:
    - roleARN: acs:ram::1234567890123456:role/KubernetesAdmin
      username: admin:{{SessionName}}
      groups: ["system:masters"]
---
apiVersion: ramauthenticator.k8s.alibabacloud/v1alpha1
kind: RAMIdentityMapping
metadata:
  name: developers
spec:
  arn: acs:ram::1234567890123456:role/dev-*
  username: dev:{{SessionName}}
  groups: ["developers"]
`;
  const EXAMPLE_NEW = EXAMPLE_OLD.replace('username: alice\n      groups: ["developers"]', 'username: alice\n      groups: ["developers", "release-managers"]').replace(
    "    - roleARN: acs:ram::1234567890123456:role/KubernetesAdmin\n      username: admin:{{SessionName}}\n      groups: [\"system:masters\"]\n",
    "    - roleARN: acs:ram::1234567890123456:role/Auditor\n      username: audit:{{SessionName}}\n      groups: [\"view\"]\n",
  );

  let call;
  let answer;

  const area = (id, title, hint) => {
    const text = el("textarea", {
      id, class: "yaml", spellcheck: "false", autocomplete: "off", autocapitalize: "off", autocorrect: "off", "data-gramm": "false", wrap: "off",
      "data-placeholder": "rulesPlaceholder", placeholder: t("rulesPlaceholder"), rows: "16",
    });
    const card = el(
      "div",
      { class: "card" },
      el("div", { class: "head" }, el("h2", {}, el("label", { for: id, "data-text": title }, t(title)))),
      el("p", { class: "hint", "data-text": hint }, t(hint)),
      text,
    );
    card.addEventListener("dragover", () => card.classList.add("dragged"));
    card.addEventListener("dragleave", () => card.classList.remove("dragged"));
    card.addEventListener("drop", async (event) => {
      card.classList.remove("dragged");
      const [file] = event.dataTransfer.files;
      if (!file) return;
      event.preventDefault();
      text.value = file.size > MAX_BYTES ? "" : await file.text();
      if (file.size > MAX_BYTES) answer = { error: { code: "tooLarge", values: [file.size, MAX_BYTES] } };
      else update();
      render();
    });
    return card;
  };

  const field = (id, title, properties = {}) =>
    el("label", { class: "field" }, el("span", { "data-text": title }, t(title)), el("input", { id, autocomplete: "off", spellcheck: "false", ...properties }));

  const build = () => {
    byId("panel-rules").replaceChildren(
      el(
        "div",
        { class: "columns" },
        el(
          "div",
          { class: "column" },
          area("rules-old", "rulesOld", "rulesOldHint"),
          el(
            "div",
            { class: "buttons" },
            el("button", { type: "button", class: "primary", id: "rules-example", "data-text": "rulesExample", onclick: showExample }, t("rulesExample")),
            el("button", { type: "button", id: "rules-compare", "aria-expanded": "false", "aria-controls": "rules-second", "data-text": "rulesCompare", onclick: toggleSecond }, t("rulesCompare")),
            el("button", { type: "button", class: "quiet", id: "rules-clear", "data-text": "clear", onclick: clear }, t("clear")),
          ),
          el("div", { id: "rules-second", hidden: true }, area("rules-new", "rulesNew", "rulesNewHint")),
        ),
        el(
          "div",
          { class: "column" },
          el(
            "div",
            { class: "card" },
            el("h2", { "data-text": "rulesWho" }, t("rulesWho")),
            el("p", { class: "hint", "data-text": "rulesWhoHint" }, t("rulesWhoHint")),
            field("rules-arn", "rulesArn", { list: "rules-named", placeholder: "acs:ram::1234567890123456:user/alice" }),
            el("datalist", { id: "rules-named" }),
            field("rules-user-id", "rulesUserId", { placeholder: "<user-id>" }),
            field("rules-key", "rulesKey", { placeholder: "ACCESS-KEY-ID" }),
            el("div", { class: "buttons" }, el("button", { type: "button", id: "rules-from-token", "data-text": "rulesFromToken", onclick: fromToken }, t("rulesFromToken"))),
            el("p", { class: "hint", id: "rules-from-token-hint", role: "status" }),
          ),
          el("div", { class: "card verdict", id: "rules-verdict", role: "status", "aria-live": "polite" }),
          el("div", { id: "rules-results", class: "column" }),
        ),
      ),
    );
    let timer;
    for (const id of ["rules-old", "rules-new", "rules-arn", "rules-user-id", "rules-key"]) {
      byId(id).addEventListener("input", () => {
        clearTimeout(timer);
        timer = setTimeout(update, PAUSE);
      });
    }
  };

  const showExample = () => {
    byId("rules-old").value = EXAMPLE_OLD;
    byId("rules-arn").value = "acs:ram::1234567890123456:user/alice";
    if (!byId("rules-second").hidden) byId("rules-new").value = EXAMPLE_NEW;
    update();
  };

  const toggleSecond = () => {
    const second = byId("rules-second");
    second.hidden = !second.hidden;
    byId("rules-compare").setAttribute("aria-expanded", String(!second.hidden));
    if (!second.hidden && byId("rules-old").value === EXAMPLE_OLD) byId("rules-new").value = EXAMPLE_NEW;
    update();
  };

  const clear = () => {
    for (const id of ["rules-old", "rules-new", "rules-arn", "rules-user-id", "rules-key"]) byId(id).value = "";
    update();
    byId("rules-old").focus();
  };

  /** Takes the access key ID from the token. The token does not contain the identity, which only STS knows. */
  const fromToken = () => {
    const key = self.inspector.token.inspection()?.contents?.accessKeyId;
    byId("rules-key").value = key ?? "";
    byId("rules-from-token-hint").textContent = t(key ? "rulesFromTokenDone" : "rulesFromTokenNone");
    update();
  };

  const update = () => {
    const value = (id) => byId(id).value;
    const old = value("rules-old");
    const second = byId("rules-second").hidden ? "" : value("rules-new");
    const longest = Math.max(old.length, second.length);
    if (longest > MAX_BYTES) answer = { error: { code: "tooLarge", values: [longest, MAX_BYTES] } };
    else if (old.trim() === "" && second.trim() === "") answer = { error: { code: "empty" } };
    else answer = call("run_playground", { old, new: second, arn: value("rules-arn"), userId: value("rules-user-id"), accessKeyId: value("rules-key") });
    render();
  };

  const verdict = (kind, title, ...content) => {
    const card = byId("rules-verdict");
    card.className = `card verdict ${kind}`;
    card.replaceChildren(el("h2", {}, title), ...content);
  };

  const render = () => {
    if (!answer) return;
    const { ok, error } = answer;
    const results = byId("rules-results");
    if (error) {
      results.replaceChildren();
      if (error.code === "empty") verdict("", t("rulesEmpty"), el("p", {}, t("rulesEmptyText")));
      else verdict("odd", t(`error.${error.code}`), el("p", {}, t(`error.${error.code}Text`, ...(error.values ?? []))));
      return;
    }
    renderVerdict(ok);
    byId("rules-named").replaceChildren(
      ...[...new Set([...ok.old.named, ...(ok.new?.named ?? [])])].map((arn) => el("option", { value: arn })),
    );
    results.replaceChildren(
      ...[
        ok.diff && renderDiff(ok.diff),
        ...sides(ok).flatMap(([title, side]) => [side.trace && renderTrace(title, side), renderFindings(title, side)]),
      ].filter(Boolean),
    );
  };

  const sides = (ok) => (ok.new ? [[t("rulesOld"), ok.old], [t("rulesNew"), ok.new]] : [["", ok.old]]);

  const renderVerdict = (ok) => {
    const broken = sides(ok).filter(([, side]) => side.error);
    if (broken.length > 0) {
      verdict(
        "bad",
        t("rulesBroken"),
        ...broken.map(([title, side]) => el("p", { lang: "en" }, title ? `${title}: ` : "", el("code", {}, side.error))),
      );
    } else if (ok.identityError) {
      verdict("odd", t("rulesNoIdentity"), el("p", { lang: "en" }, ok.identityError.text));
    } else if (!ok.old.trace) {
      verdict("", t("rulesNobody"), el("p", {}, t("rulesNobodyText")));
    } else {
      const users = sides(ok).map(([title, side]) => el("p", {}, title ? `${title}: ` : "", userText(side.trace)));
      const last = (ok.new ?? ok.old).trace;
      verdict(last.user ? "good" : "bad", t(last.user ? "rulesGranted" : "rulesDenied"), ...users);
    }
  };

  const userText = ({ user, reason }) =>
    user
      ? el("span", {}, el("code", {}, user.username), user.groups.length ? t("rulesIn", user.groups.join(", ")) : t("rulesNoGroups"))
      : el("span", { lang: "en" }, reason);

  const card = (title, subtitle, json, ...content) =>
    el(
      "div",
      { class: "card" },
      el("div", { class: "head" }, el("h2", {}, subtitle ? `${title}: ${subtitle}` : title), copyButton(t("copyJson"), () => `${JSON.stringify(json, null, 2)}\n`)),
      ...content,
    );

  const list = (title, items) =>
    items?.length ? [el("h3", {}, title), el("ul", { class: "findings", lang: "en" }, ...items.map((item) => el("li", {}, item)))] : [];

  const renderTrace = (title, { trace, words }) => {
    const rule = trace.rule;
    return card(
      t("rulesTrace"),
      title,
      trace,
      el("h3", {}, t("rulesBackends")),
      el("ul", { class: "checks" }, ...trace.backends.map((backend) =>
        el(
          "li",
          { class: { matched: "passed", noMatch: "failed", notRead: "notChecked", notAsked: "notChecked" }[backend.answer] },
          el("span", { class: "mark", "aria-hidden": "true" }, { matched: "✓", noMatch: "–", notRead: "?", notAsked: "·" }[backend.answer]),
          el("div", {}, backend.backend, el("span", { class: "state" }, `${t(`answer.${backend.answer}`)}, ${t("rulesCount", backend.rules)}`)),
        ),
      )),
      ...(rule
        ? [
            el("h3", {}, t("rulesRule")),
            el("dl", {}, ...Object.entries(rule).filter(([, value]) => value.length > 0).flatMap(([name, value]) => [
              el("dt", {}, name),
              el("dd", {}, Array.isArray(value) ? value.join(", ") : value),
            ])),
          ]
        : []),
      ...(trace.user
        ? [
            el("h3", {}, t("rulesUser")),
            el("dl", {}, ...[["username", trace.user.username], ["uid", trace.user.uid], ["groups", trace.user.groups.join(", ")], ...Object.entries(trace.user.extra)].filter(([, value]) => value !== "").flatMap(
              ([name, value]) => [el("dt", {}, name), el("dd", {}, value)],
            )),
          ]
        : []),
      ...list(t("rulesPassedOver"), words.passedOver),
      ...list(t("rulesOutranked"), words.outranked),
      ...list(t("rulesNear"), words.nearMisses),
    );
  };

  const renderFindings = (title, side) => {
    const { report, notAsked } = side;
    const items = report.findings.map((finding) =>
      el(
        "li",
        {},
        el("span", { class: `severity-${finding.severity}` }, t(`severity.${finding.severity}`)),
        ` [${finding.code}] `,
        el("span", { lang: "en" }, finding.message),
        finding.advice ? el("p", { class: "about", lang: "en" }, `→ ${finding.advice}`) : undefined,
        el("span", { class: "place" }, placeOf(finding)),
      ),
    );
    return card(
      t("rulesFindings"),
      title,
      report,
      ...(notAsked.length ? [el("p", { class: "hint" }, t("rulesNotAsked", notAsked.join(", ")))] : []),
      items.length ? el("ul", { class: "findings" }, ...items) : el("p", { class: "hint" }, t("rulesNothingFound")),
    );
  };

  const placeOf = ({ file, line, column, entry }) => [file, line, column].filter(Boolean).join(":") + (entry ? `, ${entry}` : "");

  const accessText = (access) => {
    if (!access) return undefined;
    if (Array.isArray(access)) return access.map((one) => accessText(one)).join("; ");
    if (typeof access === "string") return access;
    if (access.refused) return access.refused;
    const groups = access.groups?.length ? ` (${access.groups.join(", ")})` : "";
    const fields = ["groupsExpression", "groupsExpressionMayAdd"].filter((name) => access[name]?.length);
    const further = fields.map((name) => `, ${name}: ${access[name]}`).join("");
    return `${access.username || access.usernameExpression || ""}${groups}${further}`;
  };

  const renderDiff = (diff) => {
    const parts = [["rulesIdentities", diff.identities], ["rulesPatterns", diff.rules], ["rulesAccounts", diff.accounts], ["rulesScrubbed", diff.scrubbedAccounts]];
    const changes = parts.filter(([, all]) => all.length > 0);
    return card(
      t("rulesDiff"),
      "",
      diff,
      ...(changes.length === 0 ? [el("p", { class: "hint" }, t("rulesNoChange"))] : []),
      ...changes.flatMap(([title, all]) => [
        el("h3", {}, t(title)),
        el("ul", { class: "findings" }, ...all.map((change) =>
          el(
            "li",
            {},
            el("span", { class: change.change }, `${t(`change.${change.change}`)} `),
            el("code", {}, change.subject),
            change.before ? el("p", { class: "about" }, `${t("before")}: ${accessText(change.before)}`) : undefined,
            change.after ? el("p", { class: "about" }, `${t("after")}: ${accessText(change.after)}`) : undefined,
          ),
        )),
      ]),
    );
  };

  self.inspector.playground = {
    start: async () => {
      build();
      call = await self.inspector.modules.open("rules");
      onLanguage(render);
      update();
    },
  };
})();
