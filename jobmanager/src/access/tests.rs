//! The door: attacks and their answers. SECURITY.md 5.1 (D3, D4, D7) and 5.2 (R1, R2, R8, R10, R14, R17).

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dataflow::time::{ManualClock, SystemClock};

use super::*;

const WRITE: &str = "write-0123456789abcdef";
const READ: &str = "read-0123456789abcdef";

const HERE: Caller = Caller {
    address: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
    certified: false,
};

fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn tokens(folder: &Path) -> Tokens {
    let files = vec![
        (
            file(folder, "write", &format!("# of operators\n{WRITE}\n")),
            Role::Write,
        ),
        (file(folder, "read", &format!("{READ}\n\n")), Role::Read),
    ];
    Tokens::of(files, Vec::new()).unwrap()
}

fn door(folder: &Path, clock: Arc<dyn Clock>) -> Access {
    let terms = Terms {
        tokens: Some(tokens(folder)),
        ..Terms::default()
    };
    Access::new(terms, clock)
}

fn asks(access: &Access, header: Option<&str>, needed: Role) -> Verdict {
    access.admit(Some(HERE), header.map(str::as_bytes), needed)
}

#[test]
fn a_token_opens_what_its_file_is_for_and_nothing_else_opens_anything() {
    let folder = tempfile::tempdir().unwrap();
    let access = door(folder.path(), Arc::new(SystemClock::start()));
    let (write, read) = (format!("Bearer {WRITE}"), format!("bearer {READ}"));
    for (header, looks, changes) in [
        (Some(write.as_str()), Verdict::Admitted, Verdict::Admitted),
        (Some(read.as_str()), Verdict::Admitted, Verdict::MayOnlyRead),
        (None, Verdict::Stranger, Verdict::Stranger),
        (Some(""), Verdict::Stranger, Verdict::Stranger),
        (Some("Bearer "), Verdict::Stranger, Verdict::Stranger),
        (Some("Bearer # of operators"), Verdict::Stranger, Verdict::Stranger),
        (Some(WRITE), Verdict::Stranger, Verdict::Stranger),
        (Some("Basic d3JpdGU="), Verdict::Stranger, Verdict::Stranger),
        (Some(&write[..write.len() - 1]), Verdict::Stranger, Verdict::Stranger),
        (Some(&format!("{write}x")), Verdict::Stranger, Verdict::Stranger),
    ] {
        assert_eq!(asks(&access, header, Role::Read), looks, "{header:?}");
        assert_eq!(asks(&access, header, Role::Write), changes, "{header:?}");
    }
}

#[test]
fn a_certificate_opens_where_certificates_count_and_only_there() {
    let folder = tempfile::tempdir().unwrap();
    let certified = Some(Caller {
        certified: true,
        ..HERE
    });
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let by_token = door(folder.path(), clock.clone());
    assert_eq!(by_token.admit(certified, None, Role::Read), Verdict::Stranger);
    let terms = Terms {
        certificates: true,
        ..Terms::default()
    };
    let mutual = Access::new(terms, clock);
    assert_eq!(mutual.admit(certified, None, Role::Write), Verdict::Admitted);
    assert_eq!(mutual.admit(Some(HERE), None, Role::Read), Verdict::Stranger);
    assert_eq!(mutual.admit(None, Some(b"Bearer x"), Role::Read), Verdict::Stranger);
}

#[test]
fn whoever_guesses_waits_and_whoever_says_nothing_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::new();
    let access = door(folder.path(), Arc::new(clock.clone()));
    for _ in 0..100 {
        assert_eq!(asks(&access, None, Role::Read), Verdict::Stranger);
    }
    let guess = |number: u32| format!("Bearer guess-number-{number:08}");
    let slow = (0..100).find(|number| matches!(asks(&access, Some(&guess(*number)), Role::Read), Verdict::Slow(_)));
    assert_eq!(slow, Some(20));
    let right = format!("Bearer {WRITE}");
    assert!(
        matches!(asks(&access, Some(&right), Role::Read), Verdict::Slow(_)),
        "the right one at last is a guess too"
    );
    let elsewhere = Caller {
        address: IpAddr::from([127, 0, 0, 2]),
        ..HERE
    };
    assert_eq!(
        access.admit(Some(elsewhere), Some(right.as_bytes()), Role::Read),
        Verdict::Admitted
    );
    clock.advance(Duration::from_secs(61));
    assert_eq!(asks(&access, Some(&right), Role::Read), Verdict::Admitted);
}

#[test]
fn a_token_that_is_taken_out_of_its_file_no_longer_opens() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::new();
    let access = door(folder.path(), Arc::new(clock.clone()));
    let old = format!("Bearer {WRITE}");
    assert_eq!(asks(&access, Some(&old), Role::Write), Verdict::Admitted);
    file(folder.path(), "write", "another-0123456789\n");
    clock.advance(Duration::from_secs(11));
    assert_eq!(asks(&access, Some(&old), Role::Write), Verdict::Stranger);
    assert_eq!(
        asks(&access, Some("Bearer another-0123456789"), Role::Write),
        Verdict::Admitted
    );
    fs::remove_file(folder.path().join("write")).unwrap();
    clock.advance(Duration::from_secs(11));
    assert_eq!(
        asks(&access, Some("Bearer another-0123456789"), Role::Write),
        Verdict::Stranger
    );
}

#[test]
fn a_file_that_others_may_read_or_that_is_too_short_is_refused_and_no_message_names_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let open = file(folder.path(), "open", &format!("{WRITE}\n"));
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).unwrap();
    let of = |path: PathBuf| Tokens::of(vec![(path, Role::Write)], Vec::new()).err().unwrap();
    let refused = of(open);
    assert!(refused.message.contains("others may read"), "{refused}");
    assert!(refused.help.unwrap().contains("chmod 600"));
    for (name, text) in [("short", "secret\n"), ("empty", "# nothing\n\n")] {
        let refused = of(file(folder.path(), name, text));
        assert!(!refused.message.contains("secret"), "{refused}");
    }
    assert!(of(folder.path().join("nowhere")).message.contains("cannot be read"));
    let given = Tokens::of(Vec::new(), vec![("secret".to_owned(), Role::Write)])
        .err()
        .unwrap();
    assert!(!given.message.contains("secret"), "{given}");
}

#[test]
fn a_new_token_is_random_long_and_its_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    assert!(make(&one).unwrap() && make(&other).unwrap());
    assert!(!make(&one).unwrap(), "one that is there stays");
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    assert_eq!(read(&one).trim().len(), 64);
    assert_ne!(read(&one), read(&other));
    assert_eq!(fs::metadata(&one).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(Tokens::of(vec![(one, Role::Write)], Vec::new()).is_ok());
}

#[test]
fn names_are_compared_whole_and_without_case() {
    let terms = Terms {
        hosts: vec!["Weir.Example".to_owned()],
        ..Terms::default()
    };
    let access = Access::new(terms, Arc::new(SystemClock::start()));
    assert!(access.is_named("weir.example") && access.is_named("WEIR.EXAMPLE"));
    assert!(!access.is_named("weir.example.evil") && !access.is_named("example") && !access.is_named(""));
}
