//! The command line's side of REST `/v1`.

use std::collections::VecDeque;
use std::sync::OnceLock;
use std::time::Duration;

use dataflow::trace::Context;
use dataflow::traced;
use jobmanager::rest::types::{
    Datastream, Difference, DocumentVersion, Finding, Lag, LogLine, Operation, Problem, Rescale, Review,
    SavepointRequest, Stop as StopRequest, Submitted, Summary, Swept,
};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::de::DeserializeOwned;

use crate::args::Trust;
use crate::events::{Event, Parser};
use crate::exit::{Exit, Stop};
use crate::sheet::Sheet;
use crate::{config, door};

/// No single answer takes longer; long waits are made of short requests.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// But for one that begins from a savepoint, whose state files are copied first.
const COPYING_TIMEOUT: Duration = Duration::from_secs(600);

/// What this process shows to job managers, as the command line and the environment say.
static CREDENTIALS: OnceLock<Credentials> = OnceLock::new();

/// Who one is to a job manager, and whom one believes to be it.
#[derive(Clone, Default)]
struct Credentials {
    token: Option<HeaderValue>,
    authorities: Vec<reqwest::Certificate>,
    identity: Option<reqwest::Identity>,
}

/// Keeps what is shown to every job manager that this process asks.
pub(crate) fn begin(trust: &Trust) -> Result<(), Stop> {
    let token = match &trust.token_file {
        // A job manager makes it.
        Some(file) if file.exists() => Some(door::token_of(file)?),
        Some(_) | None => config::token()?,
    };
    let unusable = |what: &str| Stop::new(Exit::Failed, format!("{what} cannot be used"));
    let token = token
        .map(|token| {
            let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_other| unusable("the token"))?;
            value.set_sensitive(true);
            Ok::<_, Stop>(value)
        })
        .transpose()?;
    let authorities = match &trust.ca {
        Some(file) => reqwest::Certificate::from_pem_bundle(&door::pem(file)?)
            .map_err(|error| unusable(&format!("--ca {}: {error}; it", file.display())))?,
        None => Vec::new(),
    };
    let identity = match (&trust.cert, &trust.key) {
        (Some(certificate), Some(key)) => {
            let pem = [door::pem(certificate)?, b"\n".to_vec(), door::pem(key)?].concat();
            let identity = reqwest::Identity::from_pem(&pem);
            Some(identity.map_err(|error| unusable(&format!("--cert {}: {error}; it", certificate.display())))?)
        }
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => {
            return Err(Stop::new(Exit::Failed, "a certificate needs its key").help("give both --cert and --key"));
        }
    };
    let credentials = Credentials {
        token,
        authorities,
        identity,
    };
    CREDENTIALS
        .set(credentials)
        .map_err(|_other| Stop::new(Exit::Failed, "credentials were handed in twice"))
}

impl Credentials {
    fn shown_by(self, mut builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
        if let Some(token) = self.token {
            builder = builder.default_headers([(AUTHORIZATION, token)].into_iter().collect());
        }
        if !self.authorities.is_empty() {
            // Whoever names an authority means that one and no other.
            builder = builder.tls_built_in_root_certs(false);
        }
        for authority in self.authorities {
            builder = builder.add_root_certificate(authority);
        }
        match self.identity {
            Some(identity) => builder.identity(identity),
            None => builder,
        }
    }
}

/// A job manager, by its REST address.
pub(crate) struct Client {
    base: Url,
    http: reqwest::Client,
}

impl Client {
    /// A client of the job manager at `cluster`, such as `http://127.0.0.1:7080`.
    pub(crate) fn new(cluster: &str) -> Result<Self, Stop> {
        let wrong = |reason: String| {
            Stop::new(
                Exit::Failed,
                format!("`{cluster}` is not the address of a job manager: {reason}"),
            )
            .help("it is written like http://127.0.0.1:7080")
        };
        let base: Url = cluster.parse().map_err(|error| wrong(format!("{error}")))?;
        if base.cannot_be_a_base() || !matches!(base.scheme(), "http" | "https") {
            return Err(wrong("it does not begin with http://".to_owned()));
        }
        let builder = reqwest::Client::builder().timeout(REQUEST_TIMEOUT).no_proxy();
        let known = CREDENTIALS.get().cloned().unwrap_or_default();
        let http = known
            .shown_by(builder)
            .build()
            .map_err(|error| Stop::new(Exit::Failed, format!("no HTTP client: {error}")))?;
        Ok(Self { base, http })
    }

    /// All datastreams.
    pub(crate) async fn list(&self) -> Result<Vec<Summary>, Stop> {
        self.get(&["datastreams"]).await
    }

    /// Everything about one.
    pub(crate) async fn describe(&self, name: &str) -> Result<Datastream, Stop> {
        self.get(&["datastreams", name]).await
    }

    /// How old its rows were, and what became of them.
    pub(crate) async fn lag(&self, name: &str) -> Result<Lag, Stop> {
        self.get(&["datastreams", name, "lag"]).await
    }

    /// What was said about one after the line of this number.
    pub(crate) async fn logs(&self, name: &str, after: u64) -> Result<Vec<LogLine>, Stop> {
        let mut url = self.url(&["datastreams", name, "logs"])?;
        url.query_pairs_mut().append_pair("after", &after.to_string());
        self.answer(self.http.request(Method::GET, url)).await
    }

    /// Creates datastreams from the text of a document file; `options` are those of the request. What is wrong in it is shown as
    /// what is found here.
    pub(crate) async fn submit(&self, sheet: &Sheet, options: &[(&str, &str)]) -> Result<Vec<Submitted>, Stop> {
        let mut url = self.url(&["datastreams"])?;
        url.query_pairs_mut().extend_pairs(options);
        let request = self
            .http
            .request(Method::POST, url)
            .timeout(COPYING_TIMEOUT)
            .header("content-type", "application/yaml")
            .body(sheet.text.clone());
        match self.ask(request).await? {
            Ok(submitted) => Ok(submitted),
            Err((status, problem)) => Err(refusal(status, problem, Some(sheet))),
        }
    }

    /// The documents that one has run, the newest first.
    pub(crate) async fn versions(&self, name: &str) -> Result<Vec<DocumentVersion>, Stop> {
        self.get(&["datastreams", name, "versions"]).await
    }

    /// The document of one version.
    pub(crate) async fn version(&self, name: &str, number: u64) -> Result<String, Stop> {
        let url = self.url(&["datastreams", name, "versions", &number.to_string(), "document"])?;
        let request = self.http.request(Method::GET, url);
        let (status, body) = self.sent(request).await?;
        if !status.is_success() {
            let problem = serde_json::from_slice(&body).map_err(|error| self.foreign(&error))?;
            return Err(refusal(status, problem, None));
        }
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// What is between two versions; without numbers, between the last two.
    pub(crate) async fn diff(&self, name: &str, from: Option<u64>, to: Option<u64>) -> Result<Difference, Stop> {
        let mut url = self.url(&["datastreams", name, "diff"])?;
        for (key, number) in [("from", from), ("to", to)] {
            if let Some(number) = number {
                url.query_pairs_mut().append_pair(key, &number.to_string());
            }
        }
        self.answer(self.http.request(Method::GET, url)).await
    }

    /// What a text would do if it were applied.
    pub(crate) async fn review(&self, text: &str) -> Result<Review, Stop> {
        let request = self.http.request(Method::POST, self.url(&["validate"])?);
        let request = request.header("content-type", "application/yaml").body(text.to_owned());
        self.answer(request).await
    }

    /// Begins a rescale.
    pub(crate) async fn rescale(&self, name: &str, request: Rescale) -> Result<Operation, Stop> {
        let url = self.url(&["datastreams", name, "rescale"])?;
        self.answer(self.http.request(Method::POST, url).json(&request)).await
    }

    /// Begins a savepoint.
    pub(crate) async fn savepoint(&self, name: &str, request: SavepointRequest) -> Result<Operation, Stop> {
        let url = self.url(&["datastreams", name, "savepoints"])?;
        self.answer(self.http.request(Method::POST, url).json(&request)).await
    }

    /// Garbage, named or taken away.
    #[expect(clippy::fn_params_excessive_bools, reason = "the flag of the command")]
    pub(crate) async fn sweep(&self, name: Option<&str>, dry_run: bool) -> Result<Vec<Swept>, Stop> {
        let mut url = self.url(&["state", "gc"])?;
        url.query_pairs_mut().append_pair("dryRun", &dry_run.to_string());
        if let Some(name) = name {
            url.query_pairs_mut().append_pair("name", name);
        }
        let request = self.http.request(Method::POST, url).timeout(COPYING_TIMEOUT);
        self.answer(request).await
    }

    /// How an operation is.
    pub(crate) async fn operation(&self, name: &str, id: &str) -> Result<Operation, Stop> {
        self.get(&["datastreams", name, "operations", id]).await
    }

    /// A last checkpoint, then the end; with `drain`, time runs out first.
    pub(crate) async fn stop(&self, name: &str, request: StopRequest) -> Result<Summary, Stop> {
        let url = self.url(&["datastreams", name, "stop"])?;
        self.answer(self.http.request(Method::POST, url).json(&request)).await
    }

    /// The end, now.
    pub(crate) async fn cancel(&self, name: &str) -> Result<Summary, Stop> {
        let url = self.url(&["datastreams", name, "cancel"])?;
        self.answer(self.http.request(Method::POST, url)).await
    }

    /// Some dead letters, or one of them.
    pub(crate) async fn dead_letters<T: DeserializeOwned>(
        &self,
        name: &str,
        id: Option<&str>,
        options: &[(&str, String)],
    ) -> Result<T, Stop> {
        let mut url = self.url(&["datastreams", name, "dead-letters"])?;
        if let (Some(id), Ok(mut path)) = (id, url.path_segments_mut()) {
            path.push(id);
        }
        url.query_pairs_mut().extend_pairs(options);
        self.answer(self.http.request(Method::GET, url)).await
    }

    /// What holds one up, the worst first.
    pub(crate) async fn findings(&self, name: &str) -> Result<Vec<Finding>, Stop> {
        self.get(&["datastreams", name, "findings"]).await
    }

    /// Listens to events, for so long at most.
    pub(crate) async fn listen(
        &self,
        path: &[&str],
        options: &[(&str, String)],
        patience: Duration,
    ) -> Result<Listener<'_>, Stop> {
        let mut url = self.url(path)?;
        if !options.is_empty() {
            url.query_pairs_mut().extend_pairs(options);
        }
        let request = self.http.request(Method::GET, url).timeout(patience);
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(Listener {
                client: self,
                response,
                parser: Parser::default(),
                events: VecDeque::new(),
            });
        }
        let body = response.bytes().await.map_err(|error| self.unreachable(&error))?;
        let problem: Problem = serde_json::from_slice(&body).map_err(|error| self.foreign(&error))?;
        Err(refusal(status, problem, None))
    }

    async fn get<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T, Stop> {
        let url = self.url(path)?;
        self.answer(self.http.request(Method::GET, url)).await
    }

    /// The URL of a resource; parts of the path may hold anything.
    fn url(&self, path: &[&str]) -> Result<Url, Stop> {
        let mut url = self.base.clone();
        let not_a_base = |()| {
            Stop::new(
                Exit::Failed,
                format!("`{}` is not the address of a job manager", self.base),
            )
        };
        url.path_segments_mut()
            .map_err(not_a_base)?
            .pop_if_empty()
            .push("v1")
            .extend(path);
        Ok(url)
    }

    async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Stop> {
        let answer = self.ask(request).await?;
        answer.map_err(|(status, problem)| refusal(status, problem, None))
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> Result<Result<T, (StatusCode, Problem)>, Stop> {
        let (status, body) = self.sent(request).await?;
        if status.is_success() {
            let done = serde_json::from_slice(&body).map_err(|error| self.foreign(&error))?;
            return Ok(Ok(done));
        }
        let problem: Problem = serde_json::from_slice(&body).map_err(|error| self.foreign(&error))?;
        Ok(Err((status, problem)))
    }

    /// What changes something is a part of a trace, of its own where nobody has begun one.
    async fn send(&self, request: RequestBuilder) -> reqwest::Result<Response> {
        let (client, request) = request.build_split();
        let mut request = request?;
        if request.method().is_safe() {
            return client.execute(request).await;
        }
        let (method, path) = (request.method().as_str(), request.url().path());
        let traced = traced!(
            None,
            "ask",
            otel.kind = "client",
            http.request.method = method,
            url.path = path
        );
        let context = traced.context().unwrap_or_else(Context::begin);
        if let Ok(value) = HeaderValue::from_str(&context.to_string()) {
            request.headers_mut().insert("traceparent", value);
        }
        let answered = client.execute(request).await;
        if let Err(error) = &answered {
            traced.fail(root_cause(error));
        }
        answered
    }

    async fn sent(&self, request: RequestBuilder) -> Result<(StatusCode, bytes::Bytes), Stop> {
        let response = self.send(request).await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        let body = response.bytes().await.map_err(|error| self.unreachable(&error))?;
        Ok((status, body))
    }

    fn unreachable(&self, error: &reqwest::Error) -> Stop {
        let what = if error.is_timeout() {
            "does not answer"
        } else {
            "cannot be reached"
        };
        Stop::new(
            Exit::Unreachable,
            format!("the job manager at {} {what}: {}", self.base, root_cause(error)),
        )
        .help("start one with `weir jobmanager --state DIR`, or name another with --cluster or WEIR_CLUSTER")
    }

    fn foreign(&self, error: &serde_json::Error) -> Stop {
        Stop::new(
            Exit::Unreachable,
            format!(
                "what answers at {} is not a job manager of this version: {error}",
                self.base
            ),
        )
        .help("look at the address, and use the same build of `weir` everywhere")
    }
}

/// One who listens to events.
pub(crate) struct Listener<'a> {
    client: &'a Client,
    response: Response,
    parser: Parser,
    events: VecDeque<Event>,
}

impl Listener<'_> {
    /// The next event; none where the other end has ended the stream.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>, Stop> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            let bytes = self.response.chunk().await;
            match bytes.map_err(|error| self.client.unreachable(&error))? {
                Some(bytes) => self.events.extend(self.parser.take(&bytes)),
                None => return Ok(None),
            }
        }
    }

    /// What an event says.
    pub(crate) fn read<T: DeserializeOwned>(&self, event: &Event) -> Result<T, Stop> {
        serde_json::from_str(&event.data).map_err(|error| self.client.foreign(&error))
    }
}

/// Why it is not done: at the places of the document, where it is known.
fn refusal(status: StatusCode, problem: Problem, sheet: Option<&Sheet>) -> Stop {
    let told = problem.diagnostics.as_ref();
    let shown = sheet.zip(told).and_then(|(sheet, told)| sheet.shown(told));
    if let Some(mut shown) = shown.or(problem.rendered) {
        if !problem.submitted.is_empty() {
            shown.push_str(&format!("\nsubmitted before it: {}", problem.submitted.join(", ")));
        }
        // A document without mistakes that cannot run instead of another one is refused, as `weir plan` has it.
        let exit = match status {
            StatusCode::UNPROCESSABLE_ENTITY => Exit::Document,
            _ => Exit::Refused,
        };
        return Stop::new(exit, shown);
    }
    let exit = if status.is_server_error() {
        Exit::Failed
    } else {
        Exit::Refused
    };
    Stop {
        exit,
        message: problem.detail,
        help: problem.help,
    }
}

/// The innermost cause: `Connection refused` says more than `error sending request`.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
