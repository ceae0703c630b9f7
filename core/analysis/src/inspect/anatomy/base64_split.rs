//! Splits Base64 text at boundaries of its decoded bytes.

/// Splits `payload` into one slice for each of `ends`.
///
/// Each end is a position in the decoded bytes, with whether the slice that ends there is secret. A character with bits
/// of two slices belongs to the first if that one is secret, else to the second. White space belongs to the slice
/// before it.
pub(super) fn split_base64(payload: &str, ends: impl Iterator<Item = (usize, bool)>) -> Vec<&str> {
    let positions: Vec<usize> = payload
        .char_indices()
        .filter(|(_, character)| !character.is_whitespace())
        .map(|(position, _)| position)
        .collect();
    let ends: Vec<(usize, bool)> = ends.collect();
    let mut from = 0;
    ends.iter()
        .enumerate()
        .map(|(index, (end, is_secret))| {
            let is_last = index + 1 == ends.len();
            // Four characters encode three bytes.
            let character = if *is_secret {
                (end * 4).div_ceil(3)
            } else {
                end * 4 / 3
            };
            let to = match positions.get(character) {
                Some(position) if !is_last => (*position).max(from),
                _ => payload.len(),
            };
            let slice = payload.get(from..to).unwrap_or_default();
            from = to;
            slice
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_bits_stay_out_of_neighboring_slices() {
        // `abcdef` is `YWJjZGVm`.
        for (payload, ends, expected) in [
            (
                "YWJjZGVm",
                vec![(3, false), (6, false)],
                vec!["YWJj", "ZGVm"],
            ),
            (
                "YWJjZGVm",
                vec![(1, false), (6, false)],
                vec!["Y", "WJjZGVm"],
            ),
            (
                "YWJjZGVm",
                vec![(1, true), (6, false)],
                vec!["YW", "JjZGVm"],
            ),
            (
                "YWJjZGVm",
                vec![(1, false), (2, true), (6, false)],
                vec!["Y", "WJ", "jZGVm"],
            ),
            (
                "YWJj\nZGVm",
                vec![(3, false), (6, false)],
                vec!["YWJj\n", "ZGVm"],
            ),
            ("YQ==", vec![(1, false)], vec!["YQ=="]),
            ("", vec![(0, false)], vec![""]),
        ] {
            assert_eq!(split_base64(payload, ends.into_iter()), expected);
        }
    }
}
