//! Generated texts: valid expressions, invalid expressions, and texts that are not expressions.

use ack_ram_core::cel::ExpressionKind;

/// The variable of macros such as `all`. Outside a macro, the name is unknown.
const LOOP_VARIABLE: &str = "x";

/// Generates expressions, most of which are valid. The same seed generates the same expressions.
pub(crate) struct Generator(pub(crate) u64);

impl Generator {
    /// Returns a number below `limit` (SplitMix64).
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((bits ^ (bits >> 31)) % limit as u64).unwrap()
    }

    fn pick(&mut self, texts: &[&str]) -> String {
        texts[self.below(texts.len())].to_owned()
    }

    pub(crate) fn of_kind(&mut self, kind: ExpressionKind) -> String {
        let depth = 1 + self.below(5);
        match kind {
            ExpressionKind::Condition | ExpressionKind::Validation => self.bool(depth),
            ExpressionKind::Username => self.string(depth),
            ExpressionKind::Groups => self.strings(depth),
        }
    }

    fn any(&mut self, depth: usize) -> String {
        match self.below(4) {
            0 => self.bool(depth),
            1 => self.int(depth),
            2 => self.string(depth),
            _ => self.strings(depth),
        }
    }

    fn bool(&mut self, depth: usize) -> String {
        let Some(depth) = depth.checked_sub(1) else {
            return self.pick(&[
                "true",
                "false",
                "has(identity.roleName)",
                "has(user.groups)",
            ]);
        };
        match self.below(12) {
            0 => format!("{} && {}", self.bool(depth), self.bool(depth)),
            1 => format!("({} || {})", self.bool(depth), self.bool(depth)),
            2 => format!("!({})", self.bool(depth)),
            3 => format!("{} == {}", self.string(depth), self.string(depth)),
            4 => format!("{} != {}", self.strings(depth), self.strings(depth)),
            5 => {
                let operator = self.pick(&["<", "<=", ">", ">="]);
                format!("{} {operator} {}", self.int(depth), self.int(depth))
            }
            6 => format!("{} in {}", self.string(depth), self.strings(depth)),
            7 | 8 => {
                let function = self.pick(&["startsWith", "endsWith", "contains"]);
                format!("{}.{function}({})", self.string(depth), self.string(depth))
            }
            9 => {
                let function = self.pick(&["all", "exists", "exists_one"]);
                format!(
                    "{}.{function}(x, {})",
                    self.strings(depth),
                    self.bool(depth)
                )
            }
            10 => format!(
                "({} ? {} : {})",
                self.bool(depth),
                self.bool(depth),
                self.bool(depth)
            ),
            _ => self.any(depth),
        }
    }

    fn int(&mut self, depth: usize) -> String {
        let numbers = [
            "0",
            "1",
            "2",
            "-1",
            "0x10",
            "9223372036854775807",
            "-9223372036854775808",
        ];
        let Some(depth) = depth.checked_sub(1) else {
            return self.pick(&numbers);
        };
        match self.below(6) {
            0 => format!("size({})", self.string(depth)),
            1 => format!("{}.size()", self.strings(depth)),
            2 => format!("({} + {})", self.int(depth), self.int(depth)),
            3 => format!("({} - {})", self.int(depth), self.int(depth)),
            _ => self.pick(&numbers),
        }
    }

    fn string(&mut self, depth: usize) -> String {
        let Some(depth) = depth.checked_sub(1) else {
            return self.pick(&[
                "''",
                "'a'",
                "'-'",
                "'ü\\u00e9\u{1f600}'",
                "'\\x00\\n'",
                "r'\\'",
                "\"\"\"'\"\"\"",
                "identity.arn",
                "identity.canonicalArn",
                "identity.type",
                "identity.accountId",
                "identity.userId",
                "identity.roleId",
                "identity.roleName",
                "identity.userName",
                "identity.sessionName",
                "identity.accessKeyId",
                "user.username",
                "user.uid",
                LOOP_VARIABLE,
            ]);
        };
        match self.below(12) {
            0 => format!("{} + {}", self.string(depth), self.string(depth)),
            1 => format!("({}).lowerAscii()", self.string(depth)),
            2 => format!("({}).trim()", self.string(depth)),
            3 => format!("({}).substring({})", self.string(depth), self.int(depth)),
            4 => {
                let (from, to) = (self.int(depth), self.int(depth));
                format!("({}).substring({from}, {to})", self.string(depth))
            }
            5 => {
                let (from, to) = (self.string(depth), self.string(depth));
                format!("({}).replace({from}, {to})", self.string(depth))
            }
            6 => {
                let (from, times) = (self.string(0), self.int(depth));
                format!("({}).replace({from}, '-', {times})", self.string(depth))
            }
            7 => format!("{}.join({})", self.strings(depth), self.string(depth)),
            8 => format!("{}[{}]", self.strings(depth), self.int(depth)),
            9 => {
                let (yes, no) = (self.string(depth), self.string(depth));
                format!("({} ? {yes} : {no})", self.bool(depth))
            }
            10 => self.string(0),
            _ => self.any(depth),
        }
    }

    fn strings(&mut self, depth: usize) -> String {
        let Some(depth) = depth.checked_sub(1) else {
            return self.pick(&["[]", "['a', 'b']", "user.groups"]);
        };
        match self.below(8) {
            0 => format!("({}).split({})", self.string(depth), self.string(depth)),
            1 => {
                let (separator, times) = (self.string(0), self.int(depth));
                format!("({}).split({separator}, {times})", self.string(depth))
            }
            2 => format!("[{}, {}]", self.string(depth), self.string(depth)),
            3 => format!("({} + {})", self.strings(depth), self.strings(depth)),
            4 => format!("{}.filter(x, {})", self.strings(depth), self.bool(depth)),
            5 => format!("{}.map(x, {})", self.strings(depth), self.string(depth)),
            6 => {
                let (only, result) = (self.bool(depth), self.string(depth));
                format!("{}.map(x, {only}, {result})", self.strings(depth))
            }
            _ => self.any(depth),
        }
    }

    /// Returns tokens in random order.
    pub(crate) fn token_soup(&mut self) -> String {
        let tokens = [
            "identity",
            "user",
            ".",
            "arn",
            "groups",
            "roleName",
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            ",",
            ":",
            "?",
            "+",
            "-",
            "!",
            "*",
            "/",
            "%",
            "&&",
            "||",
            "&",
            "|",
            "==",
            "!=",
            "=",
            "<",
            "<=",
            ">",
            ">=",
            "in",
            "true",
            "false",
            "null",
            "1",
            "0x",
            "1u",
            "1e9",
            "1e",
            "'a'",
            "''",
            "b'a'",
            "'",
            "\"",
            "'''",
            "r'",
            "`a`",
            "`",
            "\\",
            "// c\n",
            "\n",
            " ",
            "ü",
            "\u{0}",
            "has",
            "all",
            "exists",
            "map",
            "filter",
            "x",
            "size",
            "split",
            "join",
            "@result",
            "if",
            "as",
            ".identity",
            "'\\u00'",
            "'\\400'",
            "'\\U00110000'",
        ];
        let length = self.below(24);
        (0..length).map(|_| self.pick(&tokens)).collect()
    }

    /// Returns `source` with a few characters removed, doubled, or moved.
    pub(crate) fn mutation(&mut self, source: &str) -> String {
        let mut characters: Vec<char> = source.chars().collect();
        for _ in 0..=self.below(4) {
            let at = self.below(characters.len() + 1);
            match (self.below(3), characters.get(at).copied()) {
                (0, Some(_)) => drop(characters.remove(at)),
                (1, Some(character)) => {
                    let to = self.below(characters.len() + 1);
                    characters.insert(to, character);
                }
                _ => {
                    let new = [
                        '(', ')', '[', '\'', '\\', '.', '!', '+', 'ü', '?', '0', '\n',
                    ];
                    characters.insert(at, new[self.below(new.len())]);
                }
            }
        }
        characters.into_iter().collect()
    }
}
