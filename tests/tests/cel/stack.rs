//! The parser and the evaluator recurse, but never need more than a small stack.

use ack_ram_core::cel::{Expression, ExpressionKind, MAX_SOURCE_BYTES};

use crate::evaluate;
use crate::vectors::vectors;

/// Runs `test` with a stack as small as that of a WebAssembly module, where deep recursion aborts the process.
pub(crate) fn on_a_small_stack(test: impl FnOnce() + Send) {
    const SMALL: usize = 1024 * 1024;
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(SMALL);
        let outcome = thread.spawn_scoped(scope, test).unwrap().join();
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    });
}

/// Growing texts: the start, the repeated left part, the middle, the right part with as many repetitions, and the end.
const GROWING: [(&str, &str, &str, &str, &str); 24] = [
    ("", "1+", "1", "", " == 1"),
    ("", "'a'+", "'a'", "", " == 'a'"),
    ("", "", "true", "&&true", ""),
    ("", "true||", "true", "", ""),
    ("", "true?true:", "true", "", ""),
    ("", "true?", "true", ":true", ""),
    ("", "(", "true", ")", ""),
    ("", "(true?", "true", ":true)", ""),
    ("", "(true&&(1==1||", "true", "))", ""),
    ("", "!", "true", "", ""),
    ("", "!-", "true", "", ""),
    ("", "!(", "true", ")", ""),
    ("1==", "-", "1", "", ""),
    ("", "[", "'a'", "]", " == []"),
    ("identity", ".arn", "", "", " == ''"),
    ("identity.arn", ".trim()", "", "", " == ''"),
    ("['a']", "[0]", "", "", " == 'a'"),
    ("", "size(", "'a'", ")", " == 1"),
    ("'a' in ", "[", "'a'", "]", ""),
    ("'a' in ['a'", ",'a'", "", "", "]"),
    ("", "['a'].all(x,", "true", ")", ""),
    ("['a']", ".map(x,x)", "", "", " == []"),
    ("", "'a'+'a'.replace('',", "'a'", ")", " == ''"),
    ("size(", "true ? [", "'a'", "] : []", ") == 1"),
];

#[test]
fn chains_and_nesting_fit_a_small_stack() {
    let vectors = vectors();
    let identity = vectors.identities["session"].identity();
    let user = vectors.users["admin"].user();
    on_a_small_stack(|| {
        for (before, left, middle, right, after) in GROWING {
            let grown = |times: usize| {
                [
                    before,
                    &left.repeat(times),
                    middle,
                    &right.repeat(times),
                    after,
                ]
                .concat()
            };
            let lengths = (0..)
                .map(grown)
                .take_while(|source| source.len() <= MAX_SOURCE_BYTES + 8);
            let mut accepted = 0;
            let mut last = None;
            for source in lengths {
                let compiled = Expression::compile(&source, ExpressionKind::Condition);
                if let Ok(expression) = &compiled {
                    accepted += 1;
                    evaluate(expression, &identity, &user).unwrap();
                }
                last = Some(compiled);
            }
            assert!(
                matches!(last, Some(Err(_))),
                "{before}{left} is accepted at any length"
            );
            let is_never_valid = matches!(left, "!-" | ".arn" | "[0]" | "size(");
            assert!(
                accepted > 0 || is_never_valid,
                "{before}{left}{middle}{right}{after}"
            );
        }
        let endless = "1+".repeat(1 << 20);
        Expression::compile(&endless, ExpressionKind::Condition).unwrap_err();
    });
}
