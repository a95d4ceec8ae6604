//! Input and output as streams: long ones, slow ones, broken ones.

use crate::run::{WARPATH, lookup, make, run_with};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::tempdir;

/// Several blocks, answered by several threads, in order.
#[test]
fn long_input_is_answered_in_order() {
    let top = tempdir().unwrap();
    make(top.path(), &["a"]);
    let n_paths = 300_000;
    let paths = (0..n_paths).map(|i| if i % 3 == 0 { format!("/./{i}/../a\n") } else { format!("/{i}\n") });
    let input: String = paths.chain(["/a\n".to_owned()]).collect();
    let answer = run_with(lookup(top.path()).arg("--in-root"), input.as_bytes());
    assert_eq!(answer.code, 1);
    let mut n_lines = 0;
    for (line, path) in answer.text().lines().zip(input.lines()) {
        assert_eq!(line.rsplit('\t').next(), Some(path));
        assert_eq!(line.starts_with("OK\t"), path == "/a", "{line}");
        n_lines += 1;
    }
    assert_eq!(n_lines, n_paths + 1);
}

/// Whoever types, or pipes `tail -f`, gets each answer before the next question.
#[test]
fn slow_input_is_answered_at_once() {
    let top = tempdir().unwrap();
    make(top.path(), &["a"]);
    let mut command = lookup(top.path());
    let mut child = command.arg("--in-root").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut questions = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    for path in ["a", "b", "/a"] {
        writeln!(questions, "{path}").unwrap();
        let answer = answers.next().unwrap().unwrap();
        assert_eq!(answer.rsplit('\t').next(), Some(path));
    }
    drop(questions);
    assert!(answers.next().is_none());
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

/// `| head -1`: no message, no waiting for input that never ends.
#[test]
fn a_broken_pipe_ends_quietly() {
    let top = tempdir().unwrap();
    let mut command = lookup(top.path());
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    let mut questions = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap());
    writeln!(questions, "/first").unwrap();
    answers.read_line(&mut String::new()).unwrap();
    drop(answers);
    // The next answer meets the broken pipe, though more input could come.
    writeln!(questions, "/second").unwrap();
    let begin = Instant::now();
    let code = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status.code(),
            None => assert!(begin.elapsed() < Duration::from_secs(20), "it waits for ever"),
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(code, Some(141), "as a shell tells SIGPIPE");
    let mut message = String::new();
    child.stderr.take().unwrap().read_to_string(&mut message).unwrap();
    assert_eq!(message, "");
}

#[test]
fn an_output_that_is_full_is_a_failure() {
    let top = tempdir().unwrap();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = lookup(top.path()).arg("/").stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(message, "warpath: standard output: No space left on device (os error 28)\n");
}

/// Whoever shares a terminal or pipe may have made it non-blocking: then answers wait for their reader.
#[test]
fn an_output_that_does_not_block_gets_every_answer() {
    let top = tempdir().unwrap();
    let (mut reader, writer) = std::io::pipe().unwrap();
    rustix::fs::fcntl_setfl(&writer, rustix::fs::OFlags::NONBLOCK).unwrap();
    // More than a pipe holds.
    let paths = "/some/path/that/is/not/there\n".repeat(20_000);
    let list = top.path().join("list");
    std::fs::write(&list, &paths).unwrap();
    let mut child = lookup(top.path()).arg("-f").arg(list).stdout(writer).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let mut out = String::new();
    reader.read_to_string(&mut out).unwrap();
    assert_eq!((child.wait().unwrap().code(), out.lines().count()), (Some(1), 20_000));
}

/// Help and lists tell of a full output as answers do.
#[test]
fn what_is_not_answers_is_not_lost_in_silence_either() {
    for arguments in [&["--help"][..], &["lookup", "--help"], &["--version"], &["engines"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = Command::new(WARPATH).args(arguments).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(message, "warpath: standard output: No space left on device (os error 28)\n");
    }
}

/// The standard library puts /dev/null in the place of what is closed.
#[test]
fn closed_descriptors_are_no_panic() {
    let script = "\"$0\" lookup --root /dev /dev <&-; \"$0\" lookup --root /dev <&-; \
                  \"$0\" lookup --root /dev --stats /dev 2>&-; \"$0\" lookup --root /dev /dev >&-";
    let output = Command::new("sh").args(["-ec", script, WARPATH]).output().unwrap();
    let (out, message) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!((output.status.code(), message.as_str()), (Some(0), ""));
    assert_eq!(out.lines().filter(|line| line.starts_with("OK\t") && line.ends_with("\t/dev")).count(), 2);
}
