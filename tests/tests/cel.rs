//! CEL in rules: `tests/vectors/cel.json` says what each expression yields or why it is refused, and nothing that
//! anybody writes may panic, overflow a stack, or fail in a way that the checks at load should have excluded.

use std::collections::BTreeMap;

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::arn::Arn;
use ack_ram_core::cel::{
    EvaluationError, Expression, ExpressionError, Kind, MAX_GROUP_BYTES, MAX_GROUPS,
    MAX_NAME_BYTES, MAX_SOURCE_BYTES,
};
use ack_ram_core::decision::KubernetesUser;
use ack_ram_core::identity::Identity;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Vectors {
    identities: BTreeMap<String, IdentityVector>,
    users: BTreeMap<String, UserVector>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct IdentityVector {
    arn: Text,
    user_id: String,
    access_key_id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserVector {
    username: Text,
    uid: String,
    groups: Vec<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    kind: String,
    expression: Text,
    /// Names one of `identities`; without it, `session`.
    identity: Option<String>,
    /// Names one of `users`, for validations; without it, `admin`.
    user: Option<String>,
    /// What it yields; or else why it is refused at load; or else why it fails when run.
    result: Option<Value>,
    refused: Option<String>,
    fails: Option<String>,
}

/// A text, or parts of a text with how often each stands there.
#[derive(Deserialize)]
#[serde(untagged)]
enum Text {
    Whole(String),
    Parts(Vec<(String, usize)>),
}

impl Text {
    fn text(&self) -> String {
        match self {
            Self::Whole(text) => text.clone(),
            Self::Parts(parts) => parts
                .iter()
                .map(|(text, times)| text.repeat(*times))
                .collect(),
        }
    }
}

impl IdentityVector {
    fn identity(&self) -> Identity {
        Identity {
            arn: Arn::parse(&self.arn.text()).unwrap(),
            user_id: self.user_id.as_str().into(),
            access_key_id: AccessKeyId::parse(&self.access_key_id).unwrap(),
        }
    }
}

impl UserVector {
    fn user(&self) -> KubernetesUser {
        KubernetesUser {
            username: self.username.text(),
            uid: self.uid.clone(),
            groups: self.groups.iter().map(Text::text).collect(),
            extra: Vec::new(),
        }
    }
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../vectors/cel.json")).unwrap()
}

const KINDS: [Kind; 4] = [
    Kind::Condition,
    Kind::Username,
    Kind::Groups,
    Kind::Validation,
];

fn evaluate(
    expression: &Expression,
    identity: &Identity,
    user: &KubernetesUser,
) -> Result<Value, EvaluationError> {
    match expression.kind() {
        Kind::Condition => expression.evaluate_condition(identity).map(|is| json!(is)),
        Kind::Username => expression.evaluate_name(identity).map(|name| json!(name)),
        Kind::Groups => expression
            .evaluate_names(identity)
            .map(|names| json!(names)),
        Kind::Validation => expression.validate(identity, user).map(|is| json!(is)),
    }
}

#[test]
fn every_expression_yields_or_fails_as_the_vectors_say() {
    let vectors = vectors();
    assert!(vectors.cases.len() >= 260);
    for case in &vectors.cases {
        check(case, &vectors);
    }
}

fn check(case: &Case, vectors: &Vectors) {
    let source = case.expression.text();
    let kind = KINDS.into_iter().find(|kind| kind.name() == case.kind);
    let identity = case.identity.as_deref().unwrap_or("session");
    let user = case.user.as_deref().unwrap_or("admin");
    let (identity, user) = (&vectors.identities[identity], &vectors.users[user]);
    let expected = match (&case.result, &case.refused, &case.fails) {
        (Some(result), None, None) => format!("yields {result}"),
        (None, Some(refused), None) => format!("refused at {refused}"),
        (None, None, Some(fails)) => format!("fails: {fails}"),
        _ => panic!("{source}: give one of `result`, `refused` and `fails`"),
    };
    let found = match Expression::compile(&source, kind.expect("a known kind")) {
        Err(error) => format!("refused at {error}"),
        Ok(expression) => match evaluate(&expression, &identity.identity(), &user.user()) {
            Ok(value) => format!("yields {value}"),
            Err(error) => format!("fails: {error}"),
        },
    };
    assert_eq!(found, expected, "{} `{source}`", case.kind);
}

#[test]
fn an_expression_answers_only_what_it_was_compiled_for() {
    let vectors = vectors();
    let identity = vectors.identities["session"].identity();
    let user = vectors.users["admin"].user();
    let sources = ["true", "'a'", "['a']", "true"];
    for (kind, source) in KINDS.into_iter().zip(sources) {
        let expression = Expression::compile(source, kind).unwrap();
        let errors = [
            (
                Kind::Condition,
                expression.evaluate_condition(&identity).err(),
            ),
            (Kind::Username, expression.evaluate_name(&identity).err()),
            (Kind::Groups, expression.evaluate_names(&identity).err()),
            (
                Kind::Validation,
                expression.validate(&identity, &user).err(),
            ),
        ];
        for (asked, error) in errors {
            let compiled = kind;
            let expected = (asked != kind).then_some(EvaluationError::Kind { asked, compiled });
            assert_eq!(error, expected);
        }
    }
}

#[test]
fn an_expression_can_be_shared_between_threads() {
    fn takes<T: Send + Sync + 'static>(_: &T) {}
    let expression = Expression::compile("identity.type == 'RAMUser'", Kind::Condition).unwrap();
    takes(&expression);
    takes::<Option<ExpressionError>>(&None);
}

/// Runs `test` where a deep recursion would abort the process: with the stack of a WebAssembly module.
fn on_a_small_stack(test: impl FnOnce() + Send) {
    const SMALL: usize = 1024 * 1024;
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(SMALL);
        let outcome = thread.spawn_scoped(scope, test).unwrap().join();
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    });
}

/// Texts that grow: what stands before, what is repeated, the middle, what is repeated as often, what stands after.
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
fn no_chain_or_nest_overflows_a_small_stack() {
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
                let compiled = Expression::compile(&source, Kind::Condition);
                if let Ok(expression) = &compiled {
                    accepted += 1;
                    evaluate(expression, &identity, &user).unwrap();
                }
                last = Some(compiled);
            }
            assert!(matches!(last, Some(Err(_))), "{before}{left} without end");
            let is_never_right = matches!(left, "!-" | ".arn" | "[0]" | "size(");
            assert!(
                accepted > 0 || is_never_right,
                "{before}{left}{middle}{right}{after}"
            );
        }
        let endless = "1+".repeat(1 << 20);
        Expression::compile(&endless, Kind::Condition).unwrap_err();
    });
}

/// What `Generator` may put in a loop; elsewhere it is unknown.
const LOOP_VARIABLE: &str = "x";

/// Writes expressions: most of them sound, some not. The same seed writes the same.
struct Generator(u64);

impl Generator {
    /// A number below `limit` (SplitMix64).
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((bits ^ (bits >> 31)) % limit as u64).unwrap()
    }

    fn pick(&mut self, texts: &[&str]) -> String {
        texts[self.below(texts.len())].to_owned()
    }

    fn of_kind(&mut self, kind: Kind) -> String {
        let depth = 1 + self.below(5);
        match kind {
            Kind::Condition | Kind::Validation => self.bool(depth),
            Kind::Username => self.string(depth),
            Kind::Groups => self.strings(depth),
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

    /// Tokens in no order.
    fn soup(&mut self) -> String {
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

    /// `source` with a few characters gone, doubled or moved.
    fn mutation(&mut self, source: &str) -> String {
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

#[test]
fn what_is_accepted_gives_a_bounded_result_or_an_error_with_a_name() {
    let vectors = vectors();
    let identities: Vec<_> = vectors
        .identities
        .values()
        .map(IdentityVector::identity)
        .collect();
    let users: Vec<_> = vectors.users.values().map(UserVector::user).collect();
    on_a_small_stack(|| {
        let mut generator = Generator(4);
        let mut results = [0; KINDS.len()];
        for round in 0..12_000 {
            let which = round % KINDS.len();
            let source = generator.of_kind(KINDS[which]);
            let Ok(expression) = Expression::compile(&source, KINDS[which]) else {
                continue;
            };
            for identity in &identities {
                let user = &users[generator.below(users.len())];
                results[which] += usize::from(is_sound(&source, &expression, identity, user));
            }
        }
        assert!(
            results.iter().all(|results| *results > 1_000),
            "{results:?}"
        );
    });
}

/// Whether there is a result.
fn is_sound(
    source: &str,
    expression: &Expression,
    identity: &Identity,
    user: &KubernetesUser,
) -> bool {
    match evaluate(expression, identity, user) {
        Ok(Value::Bool(_)) => {}
        Ok(Value::String(name)) => assert!(name.len() <= MAX_NAME_BYTES, "{source}"),
        Ok(Value::Array(names)) => {
            assert!(names.len() <= MAX_GROUPS, "{source}");
            let fits = |name: &Value| name.as_str().unwrap().len() <= MAX_GROUP_BYTES;
            assert!(names.iter().all(fits), "{source}");
        }
        Ok(other) => panic!("`{source}` yields {other}"),
        Err(EvaluationError::Unforeseen | EvaluationError::Kind { .. }) => {
            panic!("`{source}` fails as nothing should")
        }
        Err(_) => return false,
    }
    true
}

#[test]
fn no_text_makes_the_compiler_panic() {
    let vectors = vectors();
    let sources: Vec<_> = vectors
        .cases
        .iter()
        .map(|case| case.expression.text())
        .collect();
    let identity = vectors.identities["session"].identity();
    let user = vectors.users["admin"].user();
    on_a_small_stack(|| {
        let mut generator = Generator(5);
        for round in 0..20_000 {
            let source = match round % 2 {
                0 => generator.soup(),
                _ => generator.mutation(&sources[round % sources.len()]),
            };
            let kind = KINDS[generator.below(KINDS.len())];
            match Expression::compile(&source, kind) {
                Ok(expression) => drop(is_sound(&source, &expression, &identity, &user)),
                Err(error) => assert!(is_inside(&source, &error), "{source:?}: {error}"),
            }
        }
    });
}

fn is_inside(source: &str, error: &ExpressionError) -> bool {
    let position = error.position;
    let line = source.split('\n').nth(position.line.wrapping_sub(1));
    line.is_some_and(|line| (1..=line.chars().count() + 1).contains(&position.column))
}
