//! Texts that the page may have: the person who looks is the one who has the token.

use ack_ram_core::inspect::{Line, Span};
use ack_ram_core::secret::Secret;
use serde::Serialize;

/// A piece of a line.
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

/// What a secret holds, for the page, which hides it until it is asked for. Characters that a screen obeys, or that look
/// like others, are spelt out.
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
