//! Reading a request body within limits: its size, its time, and how long it may pause.

use std::time::Duration;

use axum::{
    body::{Body, Bytes, HttpBody},
    http::{HeaderMap, header::EXPECT},
};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout, timeout_at};

use crate::limits;

/// Why a body was not read. What was read of it is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyError {
    /// More bytes than the limit; as much of the rest as is reasonable was read and thrown away.
    TooLarge { bytes_max: usize },
    /// The sender stopped half way, paused too long or took too long.
    Incomplete,
}

/// Reads a whole body of at most `bytes_max` bytes.
pub async fn read(body: Body, bytes_max: usize) -> Result<Bytes, BodyError> {
    read_within(
        body,
        bytes_max,
        limits::BODY_TIME_MAX,
        limits::BODY_PAUSE_MAX,
    )
    .await
}

/// Throws a body away for an answer that does not need it, since a client that is cut off while it sends does not see the
/// answer; one that asked first (RFC 9110 section 10.1.1) is simply told no.
pub(crate) async fn discard(headers: &HeaderMap, body: Body) {
    if !headers.contains_key(EXPECT) {
        drop(read(body, 0).await);
    }
}

async fn read_within(
    mut body: Body,
    bytes_max: usize,
    time_max: Duration,
    pause_max: Duration,
) -> Result<Bytes, BodyError> {
    let until = Instant::now() + time_max;
    let announced = body.size_hint().exact().unwrap_or(0);
    let mut whole = Vec::with_capacity(bytes_max.min(announced.try_into().unwrap_or(0)));
    let mut seen = 0usize;
    loop {
        let frame = timeout_at(until, timeout(pause_max, body.frame())).await;
        let Ok(Ok(frame)) = frame else {
            return Err(BodyError::Incomplete);
        };
        let Some(frame) = frame else { break };
        let Ok(frame) = frame else {
            return Err(BodyError::Incomplete);
        };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        seen += data.len();
        if seen <= bytes_max {
            whole.extend_from_slice(&data);
        } else if seen <= limits::DRAIN_BYTES_MAX {
            whole = Vec::new();
        } else {
            break;
        }
    }
    if seen > bytes_max {
        return Err(BodyError::TooLarge { bytes_max });
    }
    Ok(Bytes::from(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_short(body: Body, bytes_max: usize) -> Result<Bytes, BodyError> {
        read_within(
            body,
            bytes_max,
            Duration::from_millis(200),
            Duration::from_millis(50),
        )
        .await
    }

    #[tokio::test]
    async fn a_body_within_the_limit_is_read_whole() {
        assert_eq!(read_short(Body::from("abc"), 3).await.expect("fits"), "abc");
        assert_eq!(read_short(Body::empty(), 0).await.expect("fits"), "");
        let pieces = Body::new(http_body_util::Full::new(Bytes::from("abc")).boxed());
        assert_eq!(read_short(pieces, 3).await.expect("fits"), "abc");
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused() {
        let error = read_short(Body::from("abcd"), 3).await;
        assert_eq!(error, Err(BodyError::TooLarge { bytes_max: 3 }));
    }

    #[tokio::test]
    async fn a_body_that_stalls_is_refused() {
        let (_sender, body) =
            http_body_util::channel::Channel::<Bytes, std::convert::Infallible>::new(1);
        assert_eq!(
            read_short(Body::new(body), 3).await,
            Err(BodyError::Incomplete)
        );
    }
}
