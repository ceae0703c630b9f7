"use strict";
// The report to share: the inspection of a token, which contains no secrets.
(() => {
  const { t, has } = self.inspector;

  /** Formats the inspection as text, for example for a ticket. */
  self.inspector.report = (inspection, now) => {
    const rows = [
      [t("reportTime"), new Date(now * 1000).toISOString().replace(/\.\d+Z/, "Z")],
      ...self.inspector.facts(inspection).map(([name, value]) => [name, value]),
    ];
    const width = Math.max(...rows.map(([name]) => name.length));
    const lines = [t("reportTitle"), "", ...rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`), "", t("checks")];
    for (const check of inspection.checks) {
      const code = check.code ? ` [${check.code}]` : "";
      lines.push(`- ${t(`state.${check.status}`)}: ${t(`check.${check.name}`)}${code}`);
      if (check.code && has(`code.${check.code}`)) lines.push(`    ${t(`code.${check.code}`)}`);
      if (check.reason) lines.push(`    ${check.reason}`);
      if (check.advice) lines.push(`    → ${check.advice}`);
    }
    return `${lines.join("\n")}\n`;
  };
})();
