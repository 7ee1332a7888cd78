//! Other users, other boots, other namespaces, and file systems that are full.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use super::Scratch;
use super::elsewhere::{as_nobody, in_namespaces, opening, skip};
use super::files::{SIZE, assert_refused};
use crate::store::zone::file::ZoneFile;
use crate::store::zone::file::host::Host;
use crate::store::zone::{Place, Zone};

const SHORT: Duration = Duration::from_millis(50);

#[test]
fn a_zone_of_another_boot_begins_afresh_when_nobody_uses_it() {
    let scratch = Scratch::new();
    let (place, here) = (scratch.place(SIZE), Host::here().expect("/proc"));
    let old = Host {
        boot: [7; 16],
        ..here
    };
    let outlived = ZoneFile::open(&place, &old, SHORT).expect("a new zone");
    let refusal = ZoneFile::open(&place, &here, SHORT)
        .err()
        .expect("in use")
        .to_string();
    assert!(
        refusal.contains("restarted") && refusal.contains("delete the file"),
        "{refusal}"
    );
    let key = outlived.header.key;
    drop(outlived);
    let larger = scratch.place(2 * SIZE);
    let anew = ZoneFile::open(&larger, &here, SHORT).expect("nobody has it open");
    assert!(anew.header.key != key && anew.header.length == 2 * SIZE);
    assert_eq!(anew.header.host, here);
}

#[test]
fn another_time_namespace_is_refused() {
    let scratch = Scratch::new();
    let (place, here) = (scratch.place(SIZE), Host::here().expect("/proc"));
    let elsewhere = Host {
        time_namespace: here.time_namespace + 1,
        ..here
    };
    drop(ZoneFile::open(&place, &elsewhere, SHORT).expect("a new zone"));
    assert_refused(&place, "time namespace");
    fs::remove_file(&place.path).expect("there");
    drop(Zone::open(&place).expect("a new zone"));
    let mut there = in_namespaces(&["--time"], "true");
    if let Some(told) = opening(&mut there, &place.path, 0) {
        assert!(told.contains("time namespace"), "{told}");
    }
}

#[test]
fn rights_are_checked() {
    let scratch = Scratch::new();
    let place = scratch.place(SIZE);
    drop(Zone::open(&place).expect("a new zone"));
    let allow =
        |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).expect("ours");
    allow(&place.path, 0o660);
    assert_refused(&place, "others may write it");
    let for_group = Place {
        mode: Some(0o660),
        ..place.clone()
    };
    Zone::open(&for_group).expect("asked for");
    allow(&place.path, 0o666);
    assert_refused(&for_group, "others may write it");
    allow(&place.path, 0o600);
    let owner = place.path.metadata().expect("there").uid();
    let of_other = Place {
        owner: Some(owner + 1),
        ..place.clone()
    };
    assert_refused(&of_other, "it belongs to user");
    for mode in [0, 0o700, 0o060, 0o1600] {
        let place = Place {
            mode: Some(mode),
            ..place.clone()
        };
        assert_refused(&place, "mode=");
    }
    fs::remove_file(&place.path).expect("there");
    drop(Zone::open(&for_group).expect("a new zone"));
    assert_eq!(place.path.metadata().expect("there").mode() & 0o777, 0o660);
}

#[test]
fn another_user_needs_to_be_let_in() {
    let scratch = Scratch::new();
    let place = scratch.place(SIZE);
    drop(Zone::open(&place).expect("a new zone"));
    let told = |expected: &str| {
        let Some(told) = as_nobody().and_then(|mut nobody| opening(&mut nobody, &place.path, 0))
        else {
            return;
        };
        assert!(told.contains(expected), "{told}");
    };
    told("this user may not read and write it");
    fs::set_permissions(&place.path, Permissions::from_mode(0o666)).expect("ours");
    told("it belongs to user 0");
    let beside = scratch.path().join("beside.zone");
    if let Some(told) = as_nobody().and_then(|mut nobody| opening(&mut nobody, &beside, SIZE)) {
        assert!(told.contains("this user may make no file in"), "{told}");
    }
    if rustix::process::geteuid().is_root() {
        fs::remove_file(&place.path).expect("there");
        let for_nobody = Place {
            owner: Some(65_534),
            ..place.clone()
        };
        drop(Zone::open(&for_nobody).expect("root can give it away"));
        told("opened");
        assert_refused(&place, "owner=65534");
    } else {
        skip(
            "a zone given away by owner=",
            "only root can give a file away",
        );
    }
}

/// Where all may write, Linux can be told to refuse an opening that would make the file if it were not
/// there, of a file of somebody else's and also to root: most systems tell it so
/// (`fs.protected_regular`).
#[test]
fn a_zone_given_away_is_opened_again_where_all_may_write() {
    let scratch = Scratch::new();
    if !rustix::process::geteuid().is_root() {
        return skip(
            "a zone given away where all may write",
            "only root can give a file away",
        );
    }
    fs::set_permissions(scratch.path(), Permissions::from_mode(0o1777)).expect("ours");
    let place = Place {
        owner: Some(65_534),
        ..scratch.place(SIZE)
    };
    drop(Zone::open(&place).expect("a new zone"));
    Zone::open(&place).expect("opened by whoever made it, as a server that is started again does");
    let protected = fs::read_to_string("/proc/sys/fs/protected_regular");
    if protected.is_ok_and(|told| told.trim() == "0") {
        skip(
            "the kernel's refusal where all may write",
            "fs.protected_regular is 0 here",
        );
    }
}

#[test]
fn a_full_file_system_is_an_error_and_no_signal() {
    let scratch = Scratch::new();
    let path = scratch.path().join("limits.zone");
    let mount = format!(
        "mount -t tmpfs -o size=64m,mode=700 none {}",
        scratch.path().display()
    );
    let opened =
        |script: &str, size| opening(&mut in_namespaces(&["--mount"], script), &path, size);
    let Some(told) = opened(&mount, 100 << 20) else {
        return;
    };
    assert!(
        told.contains("no room for 104857600 bytes") && told.contains("--shm-size"),
        "{told}"
    );
    assert_eq!(opened(&mount, 32 << 20).as_deref(), Some("opened"));
    let filled = format!(
        "{mount} && head -c 60000000 /dev/zero > {}/other",
        scratch.path().display()
    );
    let told = opened(&filled, 32 << 20).expect("as before");
    assert!(told.contains("no room for"), "{told}");
    let read_only = mount.replace("mode=700", "mode=700,ro");
    let told = opened(&read_only, SIZE).expect("as before");
    assert!(told.contains("read-only"), "{told}");
}
