//! Asks the last leader whether it lives: one small HTTP request to its REST interface, read by hand.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dataflow::time::Clock;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::term::{Answer, Claim};
use crate::access::tls::Dialling;
use crate::rest::types::Health;

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// More than any answer of ours.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// Finds out whether the last leader lives. It lives only if the very process that made the claim answers.
#[async_trait]
pub trait Asker: Send + Sync {
    /// Asks whoever made `claim`.
    async fn ask(&self, claim: &Claim) -> Answer;
}

/// Dials the address in the claim.
pub(super) struct Http {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) dialling: Option<Dialling>,
}

#[async_trait]
impl Asker for Http {
    async fn ask(&self, claim: &Claim) -> Answer {
        tokio::select! {
            answer = ask(claim, self.dialling.as_ref()) => answer,
            () = self.clock.sleep(PATIENCE) => Answer::Silent,
        }
    }
}

async fn ask(claim: &Claim, dialling: Option<&Dialling>) -> Answer {
    let Ok(connection) = TcpStream::connect(&claim.address).await else {
        return Answer::Gone;
    };
    let Some(dialling) = dialling else {
        return converse(connection, claim).await;
    };
    let Some((connector, name)) = dialling.to(&claim.address) else {
        return Answer::Silent;
    };
    match connector.connect(name, connection).await {
        Ok(connection) => converse(connection, claim).await,
        // Somebody listens and is not understood: it may be a leader whose certificate was changed.
        Err(error) => {
            tracing::warn!(%error, address = claim.address, "the last leader does not speak TLS as this one does");
            Answer::Silent
        }
    }
}

async fn converse(mut connection: impl AsyncRead + AsyncWrite + Unpin + Send, claim: &Claim) -> Answer {
    let request = format!(
        "GET /v1/health HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        claim.address
    );
    let mut answer = Vec::new();
    let asked = async {
        connection.write_all(request.as_bytes()).await?;
        connection.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await
    };
    if asked.await.is_err() {
        return Answer::Gone;
    }
    // The body is the one JSON object in the answer, whatever the framing around it.
    let (begin, end) = (
        answer.iter().position(|byte| *byte == b'{'),
        answer.iter().rposition(|byte| *byte == b'}'),
    );
    let (Some(begin), Some(end)) = (begin, end) else {
        return Answer::Gone;
    };
    match serde_json::from_slice::<Health>(answer.get(begin..=end).unwrap_or_default()) {
        Ok(health) if health.incarnation == claim.incarnation => Answer::Lives,
        Ok(_) | Err(_) => Answer::Gone,
    }
}
