//! Converts texts for display on the page. Secrets are included, because the user of the page already has the token.

use ack_ram_analysis::inspect::{Line, Span};
use ack_ram_core::secret::Secret;
use serde::Serialize;

/// A span of a line, for the page.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DisplaySpan {
    text: String,
    secret: bool,
}

pub(crate) fn display_lines(lines: &[Line]) -> Vec<Vec<DisplaySpan>> {
    lines
        .iter()
        .map(|line| line.iter().map(display_span).collect())
        .collect()
}

fn display_span(span: &Span) -> DisplaySpan {
    DisplaySpan {
        text: display_text(&span.text),
        secret: span.is_secret,
    }
}

/// Returns the text of a secret for the page, which hides it until the user reveals it. Escapes control characters and
/// characters that look like others.
pub(crate) fn display_text(secret: &Secret) -> String {
    let text = secret.expose().chars();
    text.fold(String::new(), |mut out, character| {
        if character.is_ascii_graphic() || " \n".contains(character) {
            out.push(character);
        } else {
            out.extend(character.escape_default());
        }
        out
    })
}
