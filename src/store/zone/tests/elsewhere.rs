//! Opening a zone as another user, or in namespaces of its own: by the test binary, which runs itself.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::Command;

use crate::store::zone::{Place, Zone};

const TEST: &str = "store::zone::tests::elsewhere::open";
const VARIABLE: &str = "SLUICEGATE_ZONE_OPEN";

/// Say that something was not tested, also of a test that passes: what it prints by itself is not shown.
pub(super) fn skip(what: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {what}: {why}");
}

/// What opening a zone of `size` bytes says there, "opened" if it goes well. `None`: this machine
/// does not let us go there, which is said.
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
    let (said, why) = match around.output() {
        Ok(output) => {
            // A signal would be the process's that opens it: what zones must never cause.
            assert_eq!(output.status.signal(), None, "{output:?}");
            (output.stdout, output.stderr)
        }
        Err(error) => (Vec::new(), error.to_string().into_bytes()),
    };
    let text = String::from_utf8_lossy(&said);
    let Some((_, told)) = text.split_once("told: ") else {
        let what = format!(
            "a zone opened by {}",
            around.get_program().to_string_lossy()
        );
        let why = String::from_utf8_lossy(&why);
        skip(&what, why.lines().next().unwrap_or("it says nothing"));
        return None;
    };
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

/// As somebody else; `None` unless this is root, which is said.
pub(super) fn as_nobody() -> Option<Command> {
    if !rustix::process::geteuid().is_root() {
        skip("a zone opened by another user", "only root can become one");
        return None;
    }
    let mut command = Command::new(std::env::current_exe().expect("a test binary"));
    command.uid(65_534).gid(65_534);
    Some(command)
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
