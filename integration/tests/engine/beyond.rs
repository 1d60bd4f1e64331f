//! What listens beyond loopback: it does not start without protection, and with it nobody gets in who shows nothing.
//! SECURITY.md 5.1 (D1, D2, D3, D4, D5, D7) and 5.2 (R1, R2).

use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use integration::cluster::{Cluster, Deadline, Process, command, until, weir};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

const LIMIT: Duration = Duration::from_secs(60);

/// An authority, and what it signs, as PEM files.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
}

impl Authority {
    fn new(folder: &Path, name: &str) -> Result<Self> {
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let folder = folder.join(name);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("ca.pem"), issuer.pem())?;
        Ok(Self { issuer, folder })
    }

    fn path(&self, file: &str) -> String {
        self.folder.join(file).display().to_string()
    }

    /// A certificate for these names, until this year.
    fn sign(&self, file: &str, names: &[&str], until: i32) -> Result<()> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let (mut params, key) = (CertificateParams::new(names)?, KeyPair::generate()?);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer)?;
        fs::write(self.folder.join(format!("{file}.pem")), certificate.pem())?;
        fs::write(self.folder.join(format!("{file}.key")), key.serialize_pem())?;
        Ok(())
    }

    fn server(&self, file: &str) -> Vec<String> {
        let (certificate, key) = (self.path(&format!("{file}.pem")), self.path(&format!("{file}.key")));
        [
            "--tls-cert",
            &certificate,
            "--tls-key",
            &key,
            "--tls-client-ca",
            &self.path("ca.pem"),
            "--tls-name",
            "weir",
        ]
        .map(str::to_owned)
        .to_vec()
    }
}

fn words(all: &[String]) -> Vec<&str> {
    all.iter().map(String::as_str).collect()
}

#[test]
fn a_process_that_others_could_reach_does_not_start_without_protection() -> Result<()> {
    let place = tempfile::tempdir()?;
    let folder = place.path();
    let state = folder.join("state").display().to_string();
    let base = ["jobmanager", "--state", &state, "--listen"];
    let token = folder.join("token").display().to_string();
    for (arguments, help) in [
        (vec!["0.0.0.0:0", "--control", "127.0.0.1:0"], "--token-file"),
        (vec!["[::]:0", "--control", "127.0.0.1:0"], "--token-file"),
        (
            vec!["0.0.0.0:0", "--control", "127.0.0.1:0", "--token-file", &token],
            "--tls-cert",
        ),
        (
            vec!["127.0.0.1:0", "--control", "0.0.0.0:0", "--token-file", &token],
            "--tls-client-ca",
        ),
    ] {
        let refused = weir(&[&base[..], &arguments].concat(), folder)?;
        let said = String::from_utf8_lossy(&refused.stderr);
        ensure!(
            !refused.status.success() && said.contains("help:") && said.contains(help),
            "{arguments:?}: {said}"
        );
    }
    for arguments in [["--listen", "0.0.0.0:0"], ["--metrics", "0.0.0.0:0"]] {
        let refused = weir(&[&["taskmanager"], &arguments[..]].concat(), folder)?;
        ensure!(!refused.status.success(), "{arguments:?}");
    }
    ensure!(!folder.join("state").exists(), "nothing was begun");
    Ok(())
}

/// Sockets on which a process listens: by the kernel's word, and by its addresses in hexadecimal digits.
fn listens(process: &Process) -> Result<Vec<String>> {
    let mut sockets = Vec::new();
    for link in fs::read_dir(format!("/proc/{}/fd", process.pid()))? {
        if let Ok(target) = fs::read_link(link?.path()) {
            sockets.push(target.display().to_string());
        }
    }
    let mut found = Vec::new();
    for table in ["tcp", "tcp6"] {
        for line in fs::read_to_string(format!("/proc/net/{table}"))?.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let own = sockets
                .iter()
                .any(|socket| *socket == format!("socket:[{}]", fields[9]));
            if own && fields[3] == "0A" {
                found.push(fields[1].to_owned());
            }
        }
    }
    Ok(found)
}

#[test]
fn a_fresh_cluster_listens_on_loopback_only() -> Result<()> {
    let place = tempfile::tempdir()?;
    let mut cluster = Cluster::start(place.path(), &[])?;
    cluster.start_taskmanager("tm-1", &[])?;
    let joined = || Ok((cluster.ask("/v1/cluster")?["slots"] == 1).then_some(()));
    until("the task manager to join", Deadline::of(LIMIT), joined)?;
    for (name, process) in cluster.processes() {
        let all = listens(process)?;
        ensure!(all.len() == 2, "{name}: {all:?}");
        ensure!(
            all.iter().all(|address| address.starts_with("0100007F:")),
            "{name}: {all:?}"
        );
    }
    Ok(())
}

/// A job manager behind TLS with a token, and what it listens on.
struct Behind {
    process: Process,
    rest: String,
    control: String,
}

fn begin(folder: &Path, authority: &Authority) -> Result<Behind> {
    let ready = folder.join("ready.json");
    let token = folder.join("token").display().to_string();
    let (state, file) = (folder.join("state").display().to_string(), ready.display().to_string());
    let mut arguments = vec![
        "jobmanager",
        "--log",
        "info",
        "--state",
        &state,
        "--listen",
        "127.0.0.1:0",
        "--control",
        "127.0.0.1:0",
        "--allow-host",
        "weir",
        "--token-file",
        &token,
        "--ready-file",
        &file,
    ];
    let tls = authority.server("server");
    arguments.extend(words(&tls));
    let mut process = Process::start(
        "jobmanager",
        command(&arguments, folder),
        &folder.join("jobmanager.log"),
    )?;
    until("the job manager to be ready", Deadline::of(LIMIT), || {
        process.check()?;
        Ok(ready.exists().then_some(()))
    })?;
    let listens: serde_json::Value = serde_json::from_slice(&fs::read(&ready)?)?;
    let text = |key: &str| listens[key].as_str().map(str::to_owned).context("an address");
    Ok(Behind {
        process,
        rest: text("listen")?,
        control: text("control")?,
    })
}

fn taskmanager(folder: &Path, name: &str, control: &str, tls: &[String]) -> Result<Process> {
    let mut arguments = vec![
        "taskmanager",
        "--log",
        "info",
        "--name",
        name,
        "--jobmanager",
        control,
        "--slots",
        "2",
    ];
    arguments.extend(words(tls));
    Process::start(name, command(&arguments, folder), &folder.join(format!("{name}.log")))
}

/// One question of the command line with these flags; what it says, and whether it was answered.
fn ask(folder: &Path, url: &str, verb: &[&str], flags: &[&str]) -> Result<(bool, String)> {
    let output = weir(&[verb, &["--cluster", url], flags].concat(), folder)?;
    let text = [output.stdout, output.stderr].concat();
    Ok((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
}

const DOCUMENT: &str = "datastreamName: guarded\ncontactName: test\ndesiredState: ON\nparallelism: 2\nsources:\n\
    \x20 - generator: { events: shop, count: 20000, splits: 2 }\nsinks:\n  - keyBy: [subscriberId]\n    blackhole: {}\n";

#[test]
fn a_guarded_cluster_works_for_those_who_show_who_they_are_and_for_nobody_else() -> Result<()> {
    let place = tempfile::tempdir()?;
    let folder = place.path();
    let (ours, theirs) = (Authority::new(folder, "ours")?, Authority::new(folder, "theirs")?);
    for file in ["server", "tm-1", "tm-2", "person"] {
        ours.sign(file, &["weir", "127.0.0.1"], 2100)?;
    }
    ours.sign("old", &["weir"], 2020)?;
    theirs.sign("stranger", &["weir"], 2100)?;
    let mut jobmanager = begin(folder, &ours)?;
    let token = folder.join("token");
    ensure!(fs::read_to_string(&token)?.trim().len() == 64, "a token was made");
    let said = jobmanager.process.log();
    ensure!(
        !said.contains(fs::read_to_string(&token)?.trim()),
        "and not printed: {said}"
    );

    // Two task managers that hand rows to each other; rows are hashed, so both connections are used.
    let _members = [
        taskmanager(folder, "tm-1", &jobmanager.control, &ours.server("tm-1"))?,
        taskmanager(folder, "tm-2", &jobmanager.control, &ours.server("tm-2"))?,
    ];
    let (url, ca, token) = (
        format!("https://{}", jobmanager.rest),
        ours.path("ca.pem"),
        token.display().to_string(),
    );
    let known = ["--ca", &ca, "--token-file", &token];
    let joined = || Ok(ask(folder, &url, &["list"], &known)?.0.then_some(()));
    until("the job manager to answer", Deadline::of(LIMIT), joined)?;
    fs::write(folder.join("guarded.yaml"), DOCUMENT)?;
    let (done, said) = ask(folder, &url, &["submit", "guarded.yaml", "--wait"], &known)?;
    ensure!(done, "{said}");

    // Without a token, with a wrong one, by another authority, in plain text; and by a certificate alone.
    fs::write(folder.join("wrong"), "wrong-0123456789abcdef\n")?;
    let (pem, key) = (ours.path("person.pem"), ours.path("person.key"));
    let plain = format!("http://{}", jobmanager.rest);
    for (url, flags, answered) in [
        (&url, vec!["--ca", &ca], false),
        (&url, vec!["--ca", &ca, "--token-file", "wrong"], false),
        (&url, vec!["--token-file", &token], false),
        (&plain, vec!["--token-file", &token], false),
        (&url, vec!["--ca", &ca, "--cert", &pem, "--key", &key], true),
    ] {
        let (done, said) = ask(folder, url, &["list"], &flags)?;
        ensure!(
            done == answered && !said.contains("0123456789"),
            "{url} {flags:?}: {said}"
        );
    }
    strangers(folder, &jobmanager.control, (&ours, &theirs))?;
    jobmanager.process.check()
}

/// Task managers without a certificate, with one of another authority, with one that is over: none of them is let in.
fn strangers(folder: &Path, control: &str, (ours, theirs): (&Authority, &Authority)) -> Result<()> {
    let mut foreign = theirs.server("stranger");
    // It believes in our authority, and is not known to it.
    foreign[5] = ours.path("ca.pem");
    for (name, tls) in [("bare", Vec::new()), ("foreign", foreign), ("old", ours.server("old"))] {
        let stranger = taskmanager(folder, name, control, &tls)?;
        let away = || Ok(stranger.log().contains("the job manager is away").then_some(()));
        until(&format!("{name} to be sent away"), Deadline::of(LIMIT), away)?;
    }
    let log = fs::read_to_string(folder.join("jobmanager.log"))?;
    for name in ["bare", "foreign", "old"] {
        ensure!(
            !log.contains(&format!("task_manager=\"{name}\"")),
            "{name} joined: {log}"
        );
    }
    let members = log.matches("task manager joined").count();
    ensure!(members == 2, "{members} joined: {log}");
    // Nonsense where TLS is spoken.
    let address: SocketAddr = control.parse()?;
    TcpStream::connect(address)?.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")?;
    Ok(())
}
