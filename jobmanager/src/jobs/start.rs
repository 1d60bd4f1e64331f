//! Starts a job manager: leads, reads the ledger, takes up what is wanted, serves.

use std::error::Error as StdError;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use dataflow::metric::Wanted;
use dataflow::store::{Store, Stores};
use dataflow::time::Clock;
use dataflow::{Failure, Registry, Scope};
use futures::Stream;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tonic::transport::server::Connected;
use tonic::transport::{Server, ServerTlsConfig};

use super::{Jobs, Plan};
use crate::access::Access;
use crate::access::tls::Dialling;
use crate::cluster::{Cluster, Control, Identity};
use crate::job::Context;
use crate::leader::{self, Candidate, Leadership, claim};
use crate::metrics;
use crate::rest;
use crate::store::Ledger;

/// What a job manager is told by whoever starts it.
#[derive(Clone, Debug)]
pub struct Options {
    /// What was built; task managers must be of the same.
    pub build: String,
    /// Which start of this process: unique.
    pub incarnation: String,
    /// Its process id and machine, for the message of a second one.
    pub process: String,
    /// Where its REST interface will be; empty for none.
    pub address: String,
    /// How much of what is measured is shown.
    pub metrics: Wanted,
    /// How the REST interface of another one is dialled, where those speak TLS.
    pub dialling: Option<Dialling>,
}

impl Options {
    fn candidate(&self) -> Candidate {
        Candidate {
            incarnation: self.incarnation.clone(),
            address: self.address.clone(),
            process: self.process.clone(),
            dialling: self.dialling.clone(),
        }
    }
}

/// The world of a job manager.
#[derive(Clone)]
pub struct World {
    /// The connectors, for their enumerators.
    pub registry: Arc<Registry>,
    /// The state folder.
    pub store: Arc<dyn Store>,
    /// Opens the stores that sources name.
    pub stores: Arc<dyn Stores>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Owns everything that is started.
    pub scope: Scope,
}

/// A leading job manager.
pub struct JobManager {
    jobs: Jobs,
    cluster: Cluster,
    pub(crate) metrics: metrics::Source,
    world: World,
    _leadership: Leadership,
}

impl JobManager {
    /// Becomes the leader of the state folder and takes up every datastream that is wanted.
    ///
    /// # Errors
    /// When another one leads, or the state folder fails.
    pub async fn start(options: Options, world: World) -> Result<Self, Failure> {
        let manager = Self::start_idle(options, world).await?;
        manager.jobs.recover().await;
        Ok(manager)
    }

    /// Becomes the leader and takes nothing up: what runs is submitted, and goes on where it was if it fits its past.
    ///
    /// For `weir run`, where the document at hand decides, and not the one that ran when the process was killed.
    ///
    /// # Errors
    /// As for [`JobManager::start`].
    pub async fn start_idle(options: Options, world: World) -> Result<Self, Failure> {
        let leadership = claim(&world.store, options.candidate(), &world.clock)
            .await
            .map_err(not_leading)?;
        Self::lead(leadership, options, world).await
    }

    /// Waits until nobody else leads, becomes the leader then, and takes up every datastream that is wanted.
    ///
    /// `waiting` hears who leads, again and again while that lasts.
    ///
    /// # Errors
    /// When the state folder fails.
    pub async fn start_standby(options: Options, world: World, waiting: impl Fn(&str)) -> Result<Self, Failure> {
        let say = |error: &leader::Error| waiting(&error.to_string());
        let leadership = leader::standby(&world.store, options.candidate(), &world.clock, say)
            .await
            .map_err(not_leading)?;
        let manager = Self::lead(leadership, options, world).await?;
        manager.jobs.recover().await;
        Ok(manager)
    }

    /// As [`JobManager::start`], with another way to ask the last leader whether it lives.
    #[cfg(feature = "testing")]
    pub(crate) async fn start_asking(
        options: Options,
        world: World,
        asker: &dyn leader::Asker,
    ) -> Result<Self, Failure> {
        let leadership = leader::claim_asking(&world.store, options.candidate(), &world.clock, asker)
            .await
            .map_err(not_leading)?;
        let manager = Self::lead(leadership, options, world).await?;
        manager.jobs.recover().await;
        Ok(manager)
    }

    async fn lead(leadership: Leadership, options: Options, world: World) -> Result<Self, Failure> {
        let ledger = Ledger::open(world.store.clone(), leadership.term, world.clock.clone()).await;
        let ledger = Arc::new(ledger.map_err(|error| error.failure())?);
        let state = world.store.url().to_owned();
        tracing::info!(term = leadership.term, state, "leading");
        let identity = Identity {
            term: leadership.term,
            incarnation: options.incarnation,
            build: options.build,
            state,
        };
        let cluster = Cluster::new(identity, world.clock.clone());
        let context = Context {
            clock: world.clock.clone(),
            scope: world.scope.clone(),
            cluster: cluster.clone(),
            registry: world.registry.clone(),
            stores: world.stores.clone(),
            store: world.store.clone(),
            ledger,
            deployments: Arc::new(AtomicU32::new(0)),
        };
        let jobs = Jobs::open(context).await;
        let metrics = metrics::Source {
            jobs: jobs.clone(),
            cluster: cluster.clone(),
            requests: Arc::default(),
            streams: rest::Streams::new(&world.scope, world.clock.clone()),
            clock: world.clock.clone(),
            wanted: options.metrics,
        };
        Ok(Self {
            jobs,
            cluster,
            metrics,
            world,
            _leadership: leadership,
        })
    }

    /// Its jobs.
    #[must_use]
    pub fn jobs(&self) -> &Jobs {
        &self.jobs
    }

    /// Its task managers.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Returns once another job manager is known to lead in a later term, and says so: this one is to end then.
    pub async fn deposed(&self) -> Failure {
        self.jobs.inner.context.ledger.deposed().await.failure()
    }

    /// The same, asked now.
    #[must_use]
    pub fn is_deposed(&self) -> bool {
        self.jobs.inner.context.ledger.check_term().is_err()
    }

    /// Serves task managers on connections as they come, until the scope ends.
    ///
    /// In one process: `tokio_stream::once(Ok::<_, std::io::Error>(duplex_half))`.
    pub fn serve_control<I, C, E>(&self, connections: I)
    where
        I: Stream<Item = Result<C, E>> + Send + 'static,
        C: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
        C::ConnectInfo: Clone + Send + Sync + 'static,
        E: Into<Box<dyn StdError + Send + Sync>> + Send + 'static,
    {
        self.serve_control_by(connections, Server::builder());
    }

    /// The same to those who have a certificate of the cluster.
    ///
    /// # Errors
    /// Where the certificates cannot be used.
    pub fn serve_control_to<I, C, E>(&self, connections: I, tls: ServerTlsConfig) -> Result<(), Failure>
    where
        I: Stream<Item = Result<C, E>> + Send + 'static,
        C: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
        C::ConnectInfo: Clone + Send + Sync + 'static,
        E: Into<Box<dyn StdError + Send + Sync>> + Send + 'static,
    {
        let server = Server::builder().tls_config(tls);
        let server = server.map_err(|error| Failure::fail("the certificates of the cluster").because(&error))?;
        self.serve_control_by(connections, server);
        Ok(())
    }

    fn serve_control_by<I, C, E>(&self, connections: I, server: Server)
    where
        I: Stream<Item = Result<C, E>> + Send + 'static,
        C: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
        C::ConnectInfo: Clone + Send + Sync + 'static,
        E: Into<Box<dyn StdError + Send + Sync>> + Send + 'static,
    {
        let control = Control::new(self.cluster.clone(), self.world.scope.clone());
        // Pings find connections that broke without a sign, long before TCP does.
        let server = server
            .http2_keepalive_interval(Some(Duration::from_secs(3)))
            .http2_keepalive_timeout(Some(Duration::from_secs(5)))
            .add_service(control.into_service());
        self.world.scope.run(async move {
            if let Err(error) = server.serve_with_incoming(connections).await {
                tracing::error!(%error, "the control service ended");
            }
        });
    }

    /// Serves REST, `/metrics`, `/v1/health` and the page until the scope ends, to whoever reaches it.
    pub fn serve_rest(&self, listener: TcpListener, plan: Arc<dyn Plan>) {
        let access = Access::open(self.world.clock.clone());
        self.serve_rest_to(listener, plan, &access, None);
    }

    /// The same to those whom `access` lets in, by TLS where it is given.
    pub fn serve_rest_to(&self, listener: TcpListener, plan: Arc<dyn Plan>, access: &Access, tls: Option<TlsAcceptor>) {
        let api = rest::Api {
            jobs: self.jobs.clone(),
            cluster: self.cluster.clone(),
            plan,
            streams: self.metrics.streams.clone(),
            clock: self.world.clock.clone(),
            metrics: self.metrics.clone(),
        };
        let (scope, clock) = (self.world.scope.child("rest"), self.world.clock.clone());
        let router = rest::counted(rest::guarded(rest::router(api.clone()), access), api);
        self.world.scope.run(rest::serve(listener, router, (scope, clock), tls));
    }

    /// What it measures, for `/metrics` and whoever pushes it.
    #[must_use]
    pub fn measured(&self) -> metrics::Source {
        self.metrics.clone()
    }
}

fn not_leading(error: leader::Error) -> Failure {
    let help = error.help();
    let failure = match &error {
        leader::Error::Led { .. } | leader::Error::MakesTwice { .. } => Failure::fail(error.to_string()),
        // What its store says is more to the point: no room, no right, no server.
        leader::Error::Store(cause) => {
            let Failure {
                message, help: to_do, ..
            } = cause.failure();
            let failure = Failure::fail(format!("{error}: {message}"));
            return failure.help(to_do.as_deref().unwrap_or(help));
        }
        leader::Error::Lock { .. } => {
            let mut failure = Failure::fail(error.to_string());
            if let Some(cause) = error.source() {
                failure = failure.because(cause);
            }
            failure
        }
    };
    failure.help(help)
}
