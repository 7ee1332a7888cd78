//! Opening a zone as another user, or in namespaces of its own: by the test binary, which runs itself.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::store::zone::{Place, Zone};

const TEST: &str = "store::zone::tests::elsewhere::open";
const VARIABLE: &str = "SLUICEGATE_ZONE_OPEN";

/// What opening a zone of `size` bytes says there, "opened" if it goes well. `None`: this machine
/// does not let us go there.
pub(super) fn opening(around: &mut Command, path: &Path, size: u64) -> Option<String> {
    let binary = std::env::current_exe().expect("a test binary");
    let ours = [
        TEST,
        "--exact",
        "--ignored",
        "--nocapture",
        "--test-threads=1",
    ];
    around.args(around_of(around, &binary)).args(ours);
    around.env(VARIABLE, format!("{size} {}", path.display()));
    let output = around.output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let (_, told) = text.split_once("told: ")?;
    told.lines().next().map(str::to_owned)
}

/// The binary is an argument, unless it is what is run.
fn around_of<'a>(around: &Command, binary: &'a Path) -> Option<&'a OsStr> {
    (around.get_program() != binary).then_some(binary.as_os_str())
}

/// A shell that does something in namespaces of its own first.
pub(super) fn in_namespaces(options: &[&str], script: &str) -> Command {
    let mut command = Command::new("unshare");
    command
        .args(["--user", "--map-root-user", "--fork"])
        .args(options);
    let script = format!("{script} && exec \"$@\"");
    command.args(["sh", "-c", &script, "sh"]);
    command
}

/// As somebody else; `None` unless this is root.
pub(super) fn as_nobody() -> Option<Command> {
    let mut command = Command::new(std::env::current_exe().expect("a test binary"));
    command.uid(65_534).gid(65_534);
    rustix::process::geteuid().is_root().then_some(command)
}

#[test]
#[ignore = "a process of other tests"]
fn open() {
    let Ok(what) = std::env::var(VARIABLE) else {
        return;
    };
    let (size, path) = what.split_once(' ').expect("both");
    let place = Place {
        size: size.parse().ok().filter(|&size| size > 0),
        ..Place::at(path)
    };
    match Zone::open(&place) {
        Ok(_) => println!("told: opened"),
        Err(refusal) => println!("told: {refusal}"),
    }
}
