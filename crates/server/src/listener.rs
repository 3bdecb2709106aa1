//! The listener: accepts connections, speaks HTTP/1.1 on each, and stops without cutting off a request.
//!
//! Limits: so many connections at once (never more than the process may open files), so long for a request head; body and
//! request times are limited further in. Plain HTTP off loopback only where the operator says so.

use std::{
    convert::Infallible,
    io::ErrorKind,
    net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::body::Body;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    net::TcpStream,
    sync::{Semaphore, watch},
    time::{sleep, timeout},
};

use crate::{
    config::Config,
    failure::{Exit, Failure, Result},
    layers::App,
};

/// Connections that the kernel keeps for us while we are busy.
const BACKLOG_CONNECTIONS_MAX: i32 = 1_024;
/// Files that the process needs besides connections: database, log, and what others of our threads open.
const FILES_RESERVED: usize = 96;
/// How long to wait when the system has no room for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long a connection without any request may live on while the server stops: its request may be on the way.
const STOP_SILENT_MAX: Duration = Duration::from_millis(250);
/// Bytes of a request head.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Headers of a request.
const HEADERS_MAX: usize = 100;

/// A bound socket, not yet served.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    pub address: SocketAddr,
}

impl Bound {
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// Binds. Fails where the address is in use, is not ours, or is not loopback without `allow_plain_http`.
pub fn bind(config: &Config) -> Result<Bound> {
    let listen = &config.listen;
    let wrong = |reason: &str| Failure::usage(format!("cannot listen on {listen}: {reason}"));
    let addresses = listen
        .to_socket_addrs()
        .map_err(|_| wrong("it must be an address and a port, such as 127.0.0.1:8080"))?;
    let address = addresses
        .into_iter()
        .next()
        .ok_or_else(|| wrong("the host name has no address"))?;
    if !address.ip().is_loopback() && !config.allow_plain_http {
        return Err(wrong(
            "others could read what is sent there, since this server speaks plain HTTP. Listen on a loopback address \
             behind a proxy that speaks TLS, or set allow_plain_http (flag --allow-plain-http, variable \
             THRONG_ALLOW_PLAIN_HTTP=true) where the network is yours",
        ));
    }
    let listener = open(address).map_err(|error| {
        let reason = match error.kind() {
            ErrorKind::AddrInUse => {
                "another program uses this port: stop it, or choose another with --listen".into()
            }
            ErrorKind::PermissionDenied => {
                "this user may not use the port: choose one above 1023".into()
            }
            ErrorKind::AddrNotAvailable => "this machine has no such address".into(),
            _ => error.to_string(),
        };
        Failure::new(Exit::Listen, format!("cannot listen on {listen}: {reason}"))
    })?;
    let address = listener.local_addr().map_err(|error| {
        Failure::new(Exit::Listen, format!("cannot listen on {listen}: {error}"))
    })?;
    Ok(Bound { listener, address })
}

fn open(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // On Unix: a port whose last connections are still closing; elsewhere it would let two servers share it.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG_CONNECTIONS_MAX)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// What a connection is allowed.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub connections_max: usize,
    pub header_time_max: Duration,
    pub stop_time_max: Duration,
}

impl Limits {
    /// From the configuration, and no more connections than the process may open files.
    pub fn of(config: &Config) -> Limits {
        let wanted = config.connections_max;
        let connections_max = files_max().map_or(wanted, |files| {
            wanted.min(files.saturating_sub(FILES_RESERVED).max(16))
        });
        if connections_max < wanted {
            tracing::warn!(
                wanted,
                connections_max,
                "the system's limit of open files allows fewer connections"
            );
        }
        Limits {
            connections_max,
            header_time_max: config.header_time_max,
            stop_time_max: config.stop_time_max,
        }
    }
}

/// Raises the limit of open files as far as this user may, and answers it.
#[cfg(unix)]
fn files_max() -> Option<usize> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Where raising fails the limit stays as it is, and is what the next line reads.
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    );
    getrlimit(Resource::Nofile)
        .current
        .map(|files| usize::try_from(files).unwrap_or(usize::MAX))
}

#[cfg(not(unix))]
fn files_max() -> Option<usize> {
    None
}

/// Serves until `stop` answers; then takes no more connections and gives those with a request at hand time to finish.
/// Answers whether all of them did.
pub async fn run(
    bound: Bound,
    app: App,
    limits: Limits,
    stop: impl Future<Output = ()>,
) -> Result<bool> {
    let listener = tokio::net::TcpListener::from_std(bound.listener).map_err(|error| {
        Failure::new(
            Exit::Listen,
            format!("cannot listen on {}: {error}", bound.address),
        )
    })?;
    let places = Arc::new(Semaphore::new(limits.connections_max));
    let (stopping, stopped) = watch::channel(());
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stop => break,
            accepted = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (place, listener.accept().await)
            } => accepted,
        };
        match accepted {
            (Ok(place), Ok((stream, peer))) => {
                let connection =
                    serve_connection(stream, peer.ip(), app.clone(), limits, stopped.clone());
                tokio::spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            (_, Err(error)) => pause_after(&error).await,
            (Err(_), _) => break,
        }
    }
    drop(listener);
    drop(stopping);
    let all = u32::try_from(limits.connections_max).unwrap_or(u32::MAX);
    Ok(timeout(limits.stop_time_max, places.acquire_many(all))
        .await
        .is_ok())
}

/// The other side may have gone before it was accepted; that is its own affair. For want of files or memory, wait.
async fn pause_after(error: &std::io::Error) {
    if !matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted
    ) {
        tracing::warn!(%error, "a connection was not accepted");
        sleep(ACCEPT_PAUSE).await;
    }
}

async fn serve_connection(
    stream: TcpStream,
    peer: IpAddr,
    app: App,
    limits: Limits,
    mut stopped: watch::Receiver<()>,
) {
    // Without it small answers wait for the other side's acknowledgement; where it cannot be set they do.
    drop(stream.set_nodelay(true));
    let spoke = Arc::new(AtomicBool::new(false));
    let service = {
        let spoke = Arc::clone(&spoke);
        service_fn(move |request: hyper::Request<Incoming>| {
            spoke.store(true, Ordering::Relaxed);
            let app = app.clone();
            async move { Ok::<_, Infallible>(app.handle(request.map(Body::new), peer).await) }
        })
    };
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time_max)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .half_close(false);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        // What goes wrong on a connection (a malformed head, a reset) is the other side's affair.
        _ended = connection.as_mut() => return,
        _sender_gone = stopped.changed() => {}
    }
    connection.as_mut().graceful_shutdown();
    if !spoke.load(Ordering::Relaxed) {
        let ended = timeout(STOP_SILENT_MAX, connection.as_mut()).await.is_ok();
        if ended || !spoke.load(Ordering::Relaxed) {
            return;
        }
    }
    drop(connection.await);
}
