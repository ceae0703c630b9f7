use super::*;

#[test]
fn value_is_read_without_quotes_and_comment() {
    for (line, expected) in [
        ("k=v", Ok("v")),
        ("  k\t = v ", Ok("v")),
        ("k = v # c", Ok("v")),
        ("k = v;c", Ok("v")),
        ("k = v#c", Ok("v")),
        ("k = # c", Ok("")),
        ("k = a b  c", Ok("a b  c")),
        ("k = \"a # b\" ; c", Ok("a # b")),
        ("k = \"a # b\";c", Ok("a # b")),
        ("k = 'a = b'", Ok("a = b")),
        ("k = ' a '", Ok(" a ")),
        ("k = \"it's\"", Ok("it's")),
        ("k = '\"'", Ok("\"")),
        ("k = it's", Ok("it's")),
        ("k = a\"b", Ok("a\"b")),
        ("k = \"\"", Ok("")),
        // A backslash has no meaning.
        ("k = a\\nb", Ok("a\\nb")),
        ("k = \"a\\\"", Ok("a\\")),
        ("k = a=b==", Ok("a=b==")),
        ("k = [v", Ok("[v")),
        ("k = v[w]x", Ok("v[w]x")),
        ("k = [v]", Ok("[v]")),
        ("k =", Ok("")),
        ("k = ü", Ok("ü")),
        ("k = 1\nk = 2", Ok("2")),
        ("k = 1\nk =", Ok("")),
        ("k = \"v", Err(IniFault::OpenQuote)),
        ("k = 'v\" # '", Ok("v\" # ")),
        ("k = '", Err(IniFault::OpenQuote)),
        ("k = 'v' w", Err(IniFault::AfterQuote)),
        ("k = 'v''w'", Err(IniFault::AfterQuote)),
        ("k v", Err(IniFault::NoValue)),
        ("k: v", Err(IniFault::NoValue)),
        ("= v", Err(IniFault::NoKey)),
        ("k = a\u{0}b", Err(IniFault::Control)),
        ("k = a\rb", Err(IniFault::Control)),
        // A byte order mark inside a file shows that files were put together.
        ("\u{feff}[t]", Err(IniFault::NoValue)),
    ] {
        for end in ["\n", "\r\n"] {
            let text = format!("[s]\n{line}\n").replace('\n', end);
            let found = Ini::parse(&text);
            match expected {
                Ok(value) => {
                    let ini = found.unwrap();
                    assert_eq!(ini.section("s").unwrap().get("k"), Some(value), "{line}");
                }
                Err(fault) => assert_eq!(found, Err(IniError { line: 2, fault }), "{line}"),
            }
        }
    }
}

#[test]
fn first_section_and_last_key_count() {
    let ini = Ini::parse("x = 0\n[a] ; c\nk = 1\nk = 2\n[b]\n[a]\nk = 3\nx = 3\n").unwrap();
    assert_eq!(ini.section("a").unwrap().get("k"), Some("2"));
    assert_eq!(ini.section("a").unwrap().get("x"), None);
    assert_eq!(ini.section("A"), None);
    assert_eq!(ini.names(), ["a", "b"]);
}

#[test]
fn section_name_stands_alone_in_brackets() {
    for (line, name) in [
        ("[a]", "a"),
        ("  [ a b ]  ", "a b"),
        ("[a]# c", "a"),
        ("[a]\t; [c]", "a"),
        ("[a=b]", "a=b"),
        ("[a#b]", "a#b"),
    ] {
        assert_eq!(Ini::parse(line).unwrap().names(), [name], "{line}");
    }
    for line in ["[a", "[]", "[ ]", "[a] b", "[a]]", "[a] = b"] {
        let error = Ini::parse(line).unwrap_err();
        assert_eq!(error.fault, IniFault::SectionName, "{line}");
    }
    for line in ["", "\n\n", "# [a]", "; k = v", "k = v"] {
        assert!(Ini::parse(line).unwrap().names().is_empty(), "{line}");
    }
}

#[test]
fn error_and_debug_text_show_no_value() {
    for (text, expected) in [
        (
            "[CANARY",
            "line 1 starts with `[`, but does not have the form `[name]`",
        ),
        ("\nCANARY", "line 2 has no `=`"),
        ("=CANARY", "line 1 has no name before `=`"),
        ("k='CANARY", "line 1 has a value whose quote is not closed"),
        ("k=''CANARY", "line 1 has text after a value in quotes"),
        ("k=CANARY\u{1}", "line 1 contains a control character"),
    ] {
        assert_eq!(Ini::parse(text).unwrap_err().to_string(), expected);
    }
    let ini = Ini::parse("[s]\nk = CANARY").unwrap();
    assert_eq!(
        format!("{ini:?}"),
        r#"Ini([Section { name: "s", keys: ["k"] }])"#
    );
}
