//! The socket to a server, which knows whether anything was written.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use futures_util::future::select_ok;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio_rustls::TlsConnector;

use super::address::{Address, Node};
use super::settings::Tls;
use super::tls;

/// A byte stream to a server.
pub(super) type Stream = Box<dyn Duplex>;

pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// How many bytes the system has taken, encrypted or not.
pub(super) type Written = Arc<AtomicU64>;

/// A stream to `address`, which must have an address.
pub(super) async fn open(address: &Address, tls: Option<&Tls>) -> io::Result<(Stream, Written)> {
    let written = Written::default();
    let stream: Stream = match (address, tls) {
        (Address::Unix(path), _) => {
            let socket = UnixStream::connect(path).await?;
            Box::new(Socket(socket, Arc::clone(&written)))
        }
        (Address::Node(node), None) => Box::new(Socket(tcp(node).await?, Arc::clone(&written))),
        (Address::Node(node), Some(tls)) => {
            let config = tls::config(tls)?;
            let name = ServerName::try_from(node.0.clone()).map_err(io::Error::other)?;
            let socket = Socket(tcp(node).await?, Arc::clone(&written));
            Box::new(TlsConnector::from(config).connect(name, socket).await?)
        }
        (Address::Primary, _) => unreachable!("resolved before"),
    };
    Ok((stream, written))
}

/// To the first of its addresses that accepts.
async fn tcp((host, port): &Node) -> io::Result<TcpStream> {
    let addresses = lookup_host((host.as_str(), *port)).await?;
    let attempts: Vec<_> = addresses
        .map(|address| Box::pin(TcpStream::connect(address)))
        .collect();
    if attempts.is_empty() {
        return Err(io::Error::other("the host has no address"));
    }
    let (socket, _) = select_ok(attempts).await?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// Takes nothing to write once the other end has closed: what the system would still accept
/// nobody can read, and it could not be known any more.
struct Socket<S>(S, Written);

impl<S: AsFd> Socket<S> {
    fn is_open(&self) -> io::Result<()> {
        if has_ended(self.0.as_fd()) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        Ok(())
    }

    fn note(&self, written: usize) -> usize {
        self.1.fetch_add(written as u64, Relaxed);
        written
    }
}

impl<S: AsyncWrite + AsFd + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.is_open()?;
        let written = ready!(Pin::new(&mut self.0).poll_write(context, bytes))?;
        Poll::Ready(Ok(self.note(written)))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.is_open()?;
        let written = ready!(Pin::new(&mut self.0).poll_write_vectored(context, slices))?;
        Poll::Ready(Ok(self.note(written)))
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Socket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
const ENDED: libc::c_short = libc::POLLRDHUP | libc::POLLHUP | libc::POLLERR;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const ENDED: libc::c_short = libc::POLLHUP | libc::POLLERR;

/// Whether the other end is known to have closed, be there something left to read.
///
/// What the runtime knows of the socket may be older: this process may have been asleep.
fn has_ended(socket: BorrowedFd<'_>) -> bool {
    let mut asked = libc::pollfd {
        fd: socket.as_raw_fd(),
        events: ENDED,
        revents: 0,
    };
    // SAFETY: it is given one pollfd, which is ours.
    let found = unsafe { libc::poll(&raw mut asked, 1, 0) };
    found > 0 && asked.revents & ENDED != 0
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::Read;
    use std::net::TcpListener;

    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn nothing_is_written_after_the_other_end_has_closed() {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address =
                Address::Node(("127.0.0.1".into(), listener.local_addr().unwrap().port()));
            let (mut stream, written) = open(&address, None).await.unwrap();
            let (mut server, _) = listener.accept().unwrap();
            let mut write = async |bytes| {
                poll_fn(|context| Pin::new(&mut stream).poll_write(context, bytes)).await
            };
            assert_eq!(write(b"before").await.unwrap(), 6);
            server.read_exact(&mut [0; 6]).unwrap();
            // The runtime has no occasion to hear of it.
            drop(server);
            assert_eq!(
                write(b"after").await.unwrap_err().kind(),
                io::ErrorKind::BrokenPipe
            );
            assert_eq!(written.load(Relaxed), 6);
        });
    }
}
