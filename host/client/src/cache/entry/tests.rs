use proptest::prelude::*;

use super::*;

const NAME: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.json";

fn name() -> CacheKey {
    CacheKey::parse_entry_name(NAME).unwrap()
}

fn entry(obtained: i64, expires: i64) -> Entry {
    let key = Obtained {
        key: AccessKey {
            id: AccessKeyId::parse("STS.FakeAccessKeyId001").unwrap(),
            secret: Secret::new("FakeSecret1"),
            security_token: Some(Secret::new("FakeToken1")),
        },
        expires: Some(UnixTime::from_seconds(expires)),
        session_name: SessionName::parse("alice"),
    };
    Entry::new(&key, "the plan", None, UnixTime::from_seconds(obtained)).unwrap()
}

#[test]
fn state_follows_the_time() {
    use EntryState::{Due, Fresh, Unusable};

    // The time at which the key is obtained is 1,000,000.
    for (lifetime, after, expected) in [
        (3600, 0, Fresh),
        (3600, 2999, Fresh),
        (3600, 3000, Due),
        (3600, 3539, Due),
        (3600, 3540, Unusable),
        (3600, 3600, Unusable),
        (3600, 100_000, Unusable),
        // A quarter of the lifetime is less than ten minutes.
        (900, 674, Fresh),
        (900, 675, Due),
        (900, 840, Unusable),
        (43_200, 42_599, Fresh),
        (43_200, 42_600, Due),
        // Too short for any use.
        (60, 0, Unusable),
        (61, 0, Fresh),
        (0, 0, Unusable),
        (-10, 0, Unusable),
        // The clock is set back.
        (3600, -60, Fresh),
        (3600, -61, Unusable),
        (3600, -86_400, Unusable),
        // The clock was a day ahead while the key was obtained.
        (3600 - 86_400, -86_400, Unusable),
    ] {
        let entry = entry(1_000_000, 1_000_000 + lifetime);
        let state = entry.state(UnixTime::from_seconds(1_000_000 + after));
        assert_eq!(state, expected, "{lifetime} {after}");
    }
    let extreme = entry(i64::MIN, i64::MAX);
    assert_eq!(extreme.state(UnixTime::from_seconds(0)), Fresh);
}

#[test]
fn entry_with_a_maximum_age_ends_with_it_or_with_its_key() {
    use EntryState::{Due, Fresh, Unusable};

    for (lifetime, after, expected) in [
        (3600, 0, Fresh),
        (3600, 899, Fresh),
        (3600, 900, Unusable),
        (3600, 3000, Unusable),
        // The key is renewed before the maximum age.
        (1000, 750, Due),
        (1000, 899, Due),
        (1000, 900, Unusable),
        (600, 539, Due),
        (600, 540, Unusable),
        // The clock is set back.
        (3600, -60, Fresh),
        (3600, -61, Unusable),
    ] {
        let key = entry(1_000_000, 1_000_000 + lifetime).into_obtained();
        let obtained = UnixTime::from_seconds(1_000_000);
        let entry = Entry::new(&key, "the plan", Some(900), obtained).unwrap();
        // The end is read as it was written.
        let entry = Entry::parse(&entry.to_text(&name()).unwrap(), &name()).unwrap();
        let state = entry.state(obtained.plus_seconds(after));
        assert_eq!(state, expected, "{lifetime} {after}");
        // The end of the key does not change.
        assert_eq!(entry.into_obtained().expires, key.expires);
    }
}

#[test]
fn entry_is_read_as_it_was_written() {
    let written = entry(1_780_000_000, 1_780_003_600);
    let text = written.to_text(&name()).unwrap();
    let read = Entry::parse(&text, &name()).unwrap();
    assert_eq!(read.obtained, written.obtained);
    assert_eq!(read.summary, written.summary);
    let (read, written) = (read.into_obtained(), written.into_obtained());
    assert_eq!(format!("{:?}", read.key), format!("{:?}", written.key));
    assert_eq!(read.expires, written.expires);
    assert_eq!(read.session_name, written.session_name);
}

#[test]
fn damaged_entry_is_ignored() {
    let text = entry(1_780_000_000, 1_780_003_600)
        .to_text(&name())
        .unwrap();
    for length in 0..text.len() {
        let part = text.get(..length).unwrap();
        assert!(Entry::parse(part, &name()).is_none(), "{length}");
    }
    for (from, to) in [
        ("FakeSecret1", "FakeSecret2"),
        ("FakeToken1", "FakeToken2"),
        ("KeyId001", "KeyId002"),
        ("alice", "bob"),
        ("\"sessionName\":\"alice\",", ""),
        ("\"securityToken\":\"FakeToken1\",", ""),
        ("the plan", "another plan"),
        ("2026-05-28T20:26:40Z", "2026-05-28T20:26:41Z"),
        ("2026-05-28T21:26:40Z", "2027-05-28T21:26:40Z"),
        (
            "\"expires\":\"2026-05-28T21:26:40Z\"",
            "\"expires\":1780003600",
        ),
        ("\"securityToken\":\"FakeToken1\"", "\"securityToken\":null"),
        ("\"name\":", "\"name\":\"x\",\"name\":"),
        ("0123456789abcdef", "1123456789abcdef"),
        ("}", "}}"),
    ] {
        assert!(text.contains(from), "{from} in {}", *text);
        let damaged = text.replacen(from, to, 1);
        assert!(Entry::parse(&damaged, &name()).is_none(), "{damaged}");
    }
}

#[test]
fn entry_of_another_name_is_ignored() {
    let text = entry(1_780_000_000, 1_780_003_600)
        .to_text(&name())
        .unwrap();
    let other = CacheKey::parse_entry_name(&NAME.replacen('0', "1", 1)).unwrap();
    assert!(Entry::parse(&text, &other).is_none());
}

#[test]
fn key_without_an_end_has_no_entry() {
    let mut key = entry(0, 3600).into_obtained();
    key.expires = None;
    assert!(Entry::new(&key, "", None, UnixTime::from_seconds(0)).is_none());
}

proptest! {
    #[test]
    fn any_change_of_an_entry_is_noticed(position in 0..1000_usize, byte in any::<u8>()) {
        let text = entry(1_780_000_000, 1_780_003_600).to_text(&name()).unwrap();
        let mut bytes = text.as_bytes().to_vec();
        let position = position % bytes.len();
        bytes[position] = byte;
        let damaged = String::from_utf8_lossy(&bytes);
        let read = Entry::parse(&damaged, &name());
        prop_assert!(read.is_none() || damaged == **text, "{}", damaged);
    }
}
