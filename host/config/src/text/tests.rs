use super::*;

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

#[test]
fn utf16_with_mark_decodes_and_other_encodings_are_refused() {
    let text = "clusterID: c1\n# \u{7fa4}\u{96c6}\nserver: {}\n";
    let little = utf16(text, u16::to_le_bytes);
    let big = utf16(text, u16::to_be_bytes);
    let marked = |mark: &[u8], text: &[u8]| [mark, text].concat();
    for (bytes, expected) in [
        (
            marked(&[0xff, 0xfe], &little[1..]),
            "malformed UTF-16 (little endian)",
        ),
        (
            marked(&[0xfe, 0xff], &[0xd8, 0, 0, b'a']),
            "malformed UTF-16 (big endian)",
        ),
        (
            little.clone(),
            "UTF-16 (little endian) without a byte order mark",
        ),
        (big.clone(), "UTF-16 (big endian) without a byte order mark"),
        (
            vec![0xff, 0xfe, 0, 0, b'a', 0, 0, 0],
            "UTF-32 (little endian)",
        ),
        (vec![0, 0, 0xfe, 0xff, 0, 0, 0, b'a'], "UTF-32 (big endian)"),
        (
            b"a\0\0\0:\0\0\0".to_vec(),
            "UTF-32 (little endian) without a byte order mark",
        ),
        (
            b"\0\0\0a\0\0\0:".to_vec(),
            "UTF-32 (big endian) without a byte order mark",
        ),
    ] {
        assert_eq!(decode(bytes), Err(DecodeError::Encoding(expected)));
    }
    for read in [
        marked(&[0xff, 0xfe], &little),
        marked(&[0xfe, 0xff], &big),
        marked(&[0xef, 0xbb, 0xbf], text.as_bytes()),
    ] {
        assert_eq!(decode(read).as_deref(), Ok(text));
    }
    let message = DecodeError::Encoding("UTF-16 (little endian)").to_string();
    assert!(message.contains("Out-File -Encoding utf8"), "{message}");
}

#[test]
fn invalid_byte_is_refused_with_its_position() {
    for (bytes, expected) in [
        (
            b"a: 1\nb: \xe9t\xe9\n".to_vec(),
            "the byte 0xe9 in line 2 at byte 4",
        ),
        (b"\xef\xbb".to_vec(), "the byte 0xef in line 1 at byte 1"),
        (
            b"a: 1\n\nab\0c: 2\n".to_vec(),
            "a NUL character in line 3 at byte 3",
        ),
        (
            vec![0xff, 0xfe, b'a', 0, 0, 0],
            "a NUL character in line 1 at byte 2",
        ),
        (b"\0\0\0\0".to_vec(), "a NUL character in line 1 at byte 1"),
    ] {
        let error = decode(bytes).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn byte_order_mark_is_removed() {
    for (bytes, expected) in [
        ("\u{feff}a: \u{e9}\n", "a: \u{e9}\n"),
        ("\u{feff}", ""),
        ("a\u{feff}\r\n", "a\u{feff}\r\n"),
        ("", ""),
    ] {
        assert_eq!(decode(bytes.into()).as_deref(), Ok(expected));
    }
}
