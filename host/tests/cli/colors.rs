//! Colors on a terminal. The snapshot `colors` has the texts with their colors.

use std::process::Stdio;

use ack_ram_tests::sts::demo;
use ack_ram_tests::terminal::Terminal;

use crate::program::TestFolder;

const ESCAPE: char = '\u{1b}';

/// Where a run prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Terminal,
    Pipe,
}

/// Runs the program, and returns the exit code and both outputs.
fn run(
    args: &[&str],
    env: &[(&str, &str)],
    [stdout, stderr]: [Place; 2],
) -> (Option<i32>, [String; 2]) {
    let folder = TestFolder::new(&[]);
    let terminals = [stdout, stderr].map(|place| match place {
        Place::Terminal => Some(Terminal::open().unwrap()),
        Place::Pipe => None,
    });
    let [out, err] = terminals.each_ref().map(|terminal| match terminal {
        Some(terminal) => terminal.stream().unwrap(),
        None => Stdio::piped(),
    });
    let mut command = folder.command(args, env);
    command.env("TERM", "xterm").stdin(Stdio::null());
    let child = command.stdout(out).stderr(err).spawn().unwrap();
    // The command has the streams of the terminals, too.
    drop(command);
    let output = child.wait_with_output().unwrap();
    let [out, err] = terminals;
    let text = |terminal: Option<Terminal>, piped| match terminal {
        Some(terminal) => terminal.output().unwrap(),
        None => String::from_utf8(piped).unwrap(),
    };
    let texts = [text(out, output.stdout), text(err, output.stderr)];
    (output.status.code(), texts)
}

#[test]
fn colors_of_messages_belong_to_standard_error() {
    use Place::{Pipe, Terminal};
    let key = demo::user_key();
    let key = [
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", key.id.as_str()),
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", key.secret.expose()),
        ("ACK_RAM_AUTHENTICATOR_LOG", "debug"),
    ];
    let token = ["token", "-i", "c1"];
    let get_token = ["credential-plugin", "get-token", "-c", "c1"];
    let wrong = ["token", "--no-such-option"];
    for (args, env, code) in [
        (&token[..], &[][..], 1),
        (&get_token, &[], 1),
        (&wrong, &[], 2),
        (&token, &key, 0),
        (&get_token, &key, 0),
    ] {
        for (places, variable, expected) in [
            ([Pipe, Terminal], None, true),
            ([Terminal, Terminal], None, true),
            ([Terminal, Pipe], None, false),
            ([Pipe, Pipe], None, false),
            ([Pipe, Terminal], Some("1"), false),
            ([Terminal, Terminal], Some("1"), false),
            // An empty variable counts as not set (no-color.org).
            ([Pipe, Terminal], Some(""), true),
        ] {
            let no_color = variable.map(|value| ("NO_COLOR", value));
            let env: Vec<_> = env.iter().copied().chain(no_color).collect();
            let (found, [stdout, stderr]) = run(args, &env, places);
            let context = format!("{args:?} {places:?} {variable:?}: {stdout}\n{stderr}");
            assert_eq!(found, Some(code), "{context}");
            assert_eq!(stderr.contains(ESCAPE), expected, "{context}");
            assert!(!stderr.is_empty(), "{context}");
            // kubectl and scripts read the token.
            assert!(!stdout.contains(ESCAPE), "{context}");
            assert_eq!(stdout.is_empty(), code != 0, "{context}");
        }
    }
}
