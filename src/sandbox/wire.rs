//! The connections of the sandbox's servers, with a switch on each: a reply can be cut off before its first byte,
//! cut in the middle of its body, or let through one byte at a time. Faults that a well-behaved HTTP server
//! can't be asked for are made here, below it. It knows nothing of services or scripts.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Sleep;

/// The bytes that end the head of an HTTP/1.1 reply.
const HEAD_END: &[u8] = b"\r\n\r\n";

/// How a connection treats the bytes of replies.
enum Mode {
    /// Passes them on.
    Open,
    /// Passes nothing on; the connection ends.
    Cut,
    /// Passes on the head and so many bytes of the body, then cuts.
    CutInBody(usize),
    /// Passes on one byte per interval.
    Drip { interval: Duration, pause: Option<Pin<Box<Sleep>>> },
}

/// The switch of one connection.
#[derive(Clone)]
pub(super) struct Wire(Arc<Mutex<Mode>>);

impl Wire {
    /// Ends the connection without another byte.
    pub(super) fn cut(&self) {
        self.set(Mode::Cut);
    }

    /// Lets the head and `body_bytes` bytes of the body through, then ends the connection.
    pub(super) fn cut_in_body(&self, body_bytes: usize) {
        self.set(Mode::CutInBody(body_bytes));
    }

    /// Lets one byte through per interval.
    pub(super) fn drip(&self, interval: Duration) {
        self.set(Mode::Drip { interval, pause: None });
    }

    fn set(&self, mode: Mode) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = mode;
    }
}

impl Connected<IncomingStream<'_, WireListener>> for Wire {
    fn connect_info(stream: IncomingStream<'_, WireListener>) -> Self {
        stream.io().wire.clone()
    }
}

/// A listener whose connections have a switch.
pub(super) struct WireListener(pub TcpListener);

impl Listener for WireListener {
    type Io = WireStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (WireStream, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        // Small replies must not wait for acknowledgements; without it they are only slower.
        let _ = stream.set_nodelay(true);
        (WireStream { stream, wire: Wire(Arc::new(Mutex::new(Mode::Open))) }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// A connection with its switch.
pub(super) struct WireStream {
    stream: TcpStream,
    wire: Wire,
}

impl AsyncRead for WireStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for WireStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let mut mode = this.wire.0.lock().unwrap_or_else(PoisonError::into_inner);
        let stream = Pin::new(&mut this.stream);
        match &mut *mode {
            Mode::Open => stream.poll_write(cx, buf),
            Mode::Cut => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            Mode::CutInBody(body_bytes) => {
                let end = (head_length(buf) + *body_bytes).min(buf.len());
                *mode = Mode::Cut;
                stream.poll_write(cx, buf.get(..end).unwrap_or(buf))
            }
            Mode::Drip { interval, pause } => {
                if let Some(sleep) = pause {
                    std::task::ready!(sleep.as_mut().poll(cx));
                }
                *pause = Some(Box::pin(tokio::time::sleep(*interval)));
                stream.poll_write(cx, buf.get(..1).unwrap_or(buf))
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The length of the head at the beginning of a reply; nothing if it has no end here.
fn head_length(bytes: &[u8]) -> usize {
    bytes
        .windows(HEAD_END.len())
        .position(|window| window == HEAD_END)
        .map_or(0, |start| start + HEAD_END.len())
}
