//! Tables in the text output of commands.

use std::fmt::Write as _;

use anstyle::Style;

use super::consent::visible;
use crate::cli::output::HEADING;

/// A row, and the remarks below it.
pub(in crate::cli) struct TableRow<const N: usize> {
    pub(in crate::cli) cells: [String; N],
    pub(in crate::cli) remarks: Vec<(Style, String)>,
}

/// Adds `rows` below `titles` to `page`.
pub(in crate::cli) fn write_table<const N: usize>(
    page: &mut String,
    titles: [&str; N],
    rows: &[TableRow<N>],
) {
    let mut widths = titles.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(&row.cells) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: [&str; N]| {
        let cells = cells.iter().zip(widths);
        let padded = cells.map(|(cell, width)| format!("{:width$}", visible(cell)));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    // Writing to a `String` never fails.
    let _ = writeln!(page, "{HEADING}{}{HEADING:#}", line(titles));
    for row in rows {
        let _ = writeln!(page, "{}", line(row.cells.each_ref().map(String::as_str)));
        for (style, remark) in &row.remarks {
            let _ = writeln!(page, "    {style}{}{style:#}", visible(remark));
        }
    }
}
