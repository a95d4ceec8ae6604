//! How the tests run the binary.

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;

/// The binary.
pub const WARPATH: &str = env!("CARGO_BIN_EXE_warpath");

/// `warpath lookup`, with arguments to come.
pub fn lookup(root: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(WARPATH);
    command.arg("lookup").arg("--root").arg(root);
    command
}

/// What a run has answered.
pub struct Answer {
    pub code: i32,
    pub out: Vec<u8>,
    pub err: String,
}

impl Answer {
    /// Standard output as text.
    pub fn text(&self) -> &str {
        str::from_utf8(&self.out).expect("this test's paths are UTF-8")
    }

    /// The statuses, a line each.
    pub fn statuses(&self) -> Vec<&str> {
        self.text().lines().map(|line| line.split('\t').next().unwrap_or_default()).collect()
    }
}

impl From<Output> for Answer {
    fn from(output: Output) -> Answer {
        let err = String::from_utf8(output.stderr).expect("messages are UTF-8");
        Answer { code: output.status.code().unwrap_or(-1), out: output.stdout, err }
    }
}

/// Runs to the end with no input.
pub fn run(command: &mut Command) -> Answer {
    command.stdin(Stdio::null()).output().expect("the binary runs").into()
}

/// Runs to the end with this on standard input.
pub fn run_with(command: &mut Command, input: &[u8]) -> Answer {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().expect("the binary runs");
    let mut stdin = child.stdin.take().expect("it was piped");
    thread::scope(|scope| {
        // It may end before it has read all.
        scope.spawn(move || stdin.write_all(input));
        child.wait_with_output().expect("the binary ends").into()
    })
}

/// What lies where: a directory ends in `/`, a link is `name -> target`, anything else is a file.
pub fn make(top: &Path, entries: &[&str]) {
    for entry in entries {
        if let Some((name, target)) = entry.split_once(" -> ") {
            std::os::unix::fs::symlink(target, top.join(name)).unwrap();
        } else if entry.ends_with('/') {
            std::fs::create_dir_all(top.join(entry)).unwrap();
        } else {
            std::fs::write(top.join(entry), entry).unwrap();
        }
    }
}
