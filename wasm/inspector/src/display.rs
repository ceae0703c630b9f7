//! Texts for the page to display: the person who looks at them has the token anyway.

use ack_ram_analysis::inspect::{Line, Span};
use ack_ram_core::secret::Secret;
use serde::Serialize;

/// A span of a line.
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

/// Returns the text of a secret for the page, which hides it until the person reveals it. Escapes characters that
/// control a screen, or look like others.
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
