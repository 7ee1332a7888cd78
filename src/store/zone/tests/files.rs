//! Opening, making and refusing.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, symlink};
use std::process::Command;
use std::sync::Barrier;
use std::time::Duration;

use super::Scratch;
use super::oracle::Shape;
use super::worker::{Orders, limit_of};
use crate::store::zone::file::ZoneFile;
use crate::store::zone::file::header::{LENGTH, MAGIC, UNFINISHED};
use crate::store::zone::file::host::Host;
use crate::store::zone::file::layout::{LARGEST, SMALLEST};
use crate::store::zone::{Place, Refusal, Report, Zone};

pub(super) const SIZE: u64 = 1 << 20;

pub(super) fn refused(place: &Place) -> String {
    let refusal = Zone::open(place).expect_err("nothing to open").to_string();
    assert!(!refusal.contains('\n') && refusal.len() < 400, "{refusal}");
    refusal
}

pub(super) fn assert_refused(place: &Place, because: &str) {
    let refusal = refused(place);
    assert!(refusal.contains(because), "{refusal}");
}

#[test]
fn what_is_made_is_found_again() {
    let scratch = Scratch::new();
    let place = scratch.place(SIZE);
    let zone = Zone::open(&place).expect("a new zone");
    let limit = limit_of(&zone);
    let key = zone.hasher().fingerprint(b"key");
    let spend = |zone: &Zone| {
        let payload = super::worker::pack(u64::from(u32::MAX) << 16, 1);
        zone.update(limit, key, zone.now(), &|| zone.now(), |_| {
            (Some(payload), ())
        })
    };
    let tenancy = spend(&zone).tenancy;
    assert_eq!(zone.look(limit, key, zone.now()).tenancy, tenancy);
    assert_eq!(zone.count(limit, zone.now()), 1);
    let again = Zone::open(&Place::at(&place.path)).expect("the same");
    assert!(
        std::ptr::eq(&raw const *zone, &raw const *again),
        "one mapping a file"
    );
    drop((zone, again));
    let later = Zone::open(&place).expect("the same file");
    assert_eq!(limit_of(&later), limit);
    assert_eq!(
        later
            .look(limit, later.hasher().fingerprint(b"key"), 0)
            .tenancy,
        tenancy
    );
    let metadata = place.path.metadata().expect("there");
    assert_eq!((metadata.len(), metadata.mode() & 0o777), (SIZE, 0o600));
    assert!(metadata.blocks() * 512 >= SIZE, "room is set aside");
    let report = Report::of(&place.path).expect("a zone");
    assert_eq!(
        (report.limits[0].name.as_str(), report.limits[0].live),
        ("per key", 1)
    );
    assert_eq!(report.slots - report.free, 1);
}

#[test]
fn the_size_is_the_files() {
    let scratch = Scratch::new();
    let _zone = Zone::open(&scratch.place(SIZE)).expect("a new zone");
    let other = Zone::open(&scratch.place(2 * SIZE));
    let Err(Refusal::Argument(text)) = other else {
        panic!("{other:?}");
    };
    assert!(
        text.contains("1048576") && text.contains("2097152"),
        "{text}"
    );
    for size in [0, SMALLEST - 1, LARGEST + 1] {
        assert_refused(&scratch.place(size), "size=");
    }
    let default = Place::at(scratch.path().join("default"));
    Zone::open(&default).expect("a new zone");
    assert_eq!(
        default.path.metadata().expect("there").len(),
        Place::DEFAULT_SIZE
    );
    let one_set = Place {
        size: Some(SMALLEST),
        ..Place::at(scratch.path().join("small"))
    };
    Zone::open(&one_set).expect("eight keys");
}

#[test]
fn what_is_no_zone_is_left_alone() {
    let scratch = Scratch::new();
    let place = scratch.place(SIZE);
    for content in [
        &b"x"[..],
        b"a user's file, and a longer one than eight bytes",
        &[0; 4096],
    ] {
        fs::write(&place.path, content).expect("ours");
        assert_refused(&place, "it is not a zone");
        assert_eq!(fs::read(&place.path).expect("there"), content);
        assert!(Report::of(&place.path).is_err());
    }
}

#[test]
fn what_cannot_hold_a_zone_is_refused() {
    let scratch = Scratch::new();
    let within = |name: &str| Place::at(scratch.path().join(name));
    fs::create_dir(scratch.path().join("directory")).expect("new");
    assert_refused(&within("directory"), "it is a directory");
    fs::write(scratch.path().join("target"), b"").expect("new");
    symlink(scratch.path().join("target"), scratch.path().join("link")).expect("new");
    symlink(
        scratch.path().join("nowhere"),
        scratch.path().join("dangling"),
    )
    .expect("new");
    assert_refused(&within("link"), "symbolic link");
    assert_refused(&within("dangling"), "symbolic link");
    assert!(!scratch.path().join("nowhere").exists());
    let fifo = scratch.path().join("fifo");
    let made = Command::new("mkfifo").arg(&fifo).status();
    assert!(made.expect("a shell's tool").success());
    assert_refused(&within("fifo"), "FIFO");
    assert_refused(&within("missing/limits.zone"), "there is no directory");
    assert_refused(&within("target/limits.zone"), "there is no directory");
    assert_refused(&Place::at("/dev/null"), "device");
    assert_refused(&Place::at("/proc/limits.zone"), "no file can be made there");
    for path in ["limits.zone", "./limits.zone", "", "/", "/run/.."] {
        let refusal = Zone::open(&Place::at(path)).expect_err("no such file");
        assert!(matches!(refusal, Refusal::Argument(_)), "{path}: {refusal}");
    }
}

#[test]
fn a_header_that_is_not_ours_is_refused() {
    let scratch = Scratch::new();
    let place = scratch.place(SIZE);
    drop(Zone::open(&place).expect("a new zone"));
    let good = fs::read(&place.path).expect("there");
    let broken = |at: usize, because: &str| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        fs::write(&place.path, &bytes).expect("ours");
        assert_refused(&place, because);
        assert_eq!(
            fs::read(&place.path).expect("there"),
            bytes,
            "it is left as it was"
        );
    };
    broken(8, "another version");
    broken(12, "another version");
    broken(40, "damaged");
    broken(80, "damaged");
    fs::write(&place.path, &good[..good.len() - 4096]).expect("ours");
    assert_refused(&place, "cut or extended");
    fs::write(&place.path, &good[..100]).expect("ours");
    assert_refused(&place, "damaged");
    fs::write(&place.path, &good).expect("ours");
    Zone::open(&place).expect("as it was");
}

#[test]
fn whoever_finds_it_unfinished_makes_it() {
    let scratch = Scratch::new();
    let place = scratch.place(SIZE);
    drop(Zone::open(&place).expect("a new zone"));
    let mut good = fs::read(&place.path).expect("there");
    good[..MAGIC.len()].copy_from_slice(&UNFINISHED);
    let mut zeros = vec![0; SIZE as usize];
    zeros[..UNFINISHED.len()].copy_from_slice(&UNFINISHED);
    for content in [
        &b""[..],
        &UNFINISHED,
        &zeros[..4096],
        &zeros,
        &good[..LENGTH],
        &good,
    ] {
        fs::write(&place.path, content).expect("ours");
        assert!(Report::of(&place.path).is_err());
        drop(Zone::open(&place).expect("made anew"));
        let made = fs::read(&place.path).expect("there");
        assert!(made.len() == SIZE as usize && made.starts_with(&MAGIC));
        assert!(made[LENGTH..].iter().all(|&byte| byte == 0));
    }
}

#[test]
fn eight_that_come_first_make_one() {
    for _ in 0..20 {
        let scratch = Scratch::new();
        let (place, host) = (scratch.place(SIZE), Host::here().expect("/proc"));
        let (barrier, patience) = (Barrier::new(8), Duration::from_secs(10));
        let keys: Vec<_> = std::thread::scope(|scope| {
            let open = || {
                barrier.wait();
                ZoneFile::open(&place, &host, patience)
                    .expect("made by one")
                    .header
                    .key
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("no panic"))
                .collect()
        });
        assert!(
            keys.iter().all(|key| *key == keys[0]),
            "two zones: {keys:?}"
        );
    }
}

#[test]
fn makers_that_are_killed_leave_what_others_can_make() {
    let scratch = Scratch::new();
    let shape = Shape {
        keys: 1,
        epochs: 4,
        limit: 1_000,
        rounds: 0,
    };
    let orders = Orders {
        directory: scratch.path().to_owned(),
        shape,
        faults: Vec::new(),
    };
    let path = scratch.path().join("limits.zone");
    for round in 0..15 {
        let mut makers: Vec<_> = (0..3).map(|worker| orders.start(worker)).collect();
        std::thread::sleep(Duration::from_millis(5 + round));
        for maker in &mut makers {
            maker.kill().expect("ours");
            maker.wait().expect("ours");
        }
        Zone::open(&Place::at(&path)).expect("whatever they have left");
        fs::remove_file(&path).expect("there");
    }
}

#[test]
fn a_copy_with_holes_is_filled() {
    let scratch = Scratch::new();
    let place = scratch.place(SIZE);
    drop(Zone::open(&place).expect("a new zone"));
    let header = fs::read(&place.path).expect("there")[..LENGTH].to_vec();
    fs::write(&place.path, header).expect("ours");
    let file = File::options().write(true).open(&place.path).expect("ours");
    file.set_len(SIZE).expect("a hole");
    drop(Zone::open(&place).expect("the same zone"));
    assert!(place.path.metadata().expect("there").blocks() * 512 >= SIZE);
}
