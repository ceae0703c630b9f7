//! Servers of emulators, each on a thread with an async runtime of its own.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

/// A running server. Dropping it closes its connections and its port, and ends the thread.
#[derive(Debug)]
pub(crate) struct ServiceThread {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl ServiceThread {
    /// Starts a server that accepts connections from `listener`. The caller may, but need not, be inside an async
    /// runtime.
    ///
    /// # Errors
    /// If the system provides no thread or no event queue.
    pub(crate) fn start<S>(
        name: &str,
        listener: TcpListener,
        serve: impl FnOnce(tokio::net::TcpListener) -> S,
    ) -> io::Result<Self>
    where
        S: Future<Output = ()> + Send + 'static,
    {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let serving = serve(listener);
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new()
            .name(format!("{name}-{}", address.port()))
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = serving => {}
                        _ = stopped => {}
                    }
                });
                // Dropping the runtime closes every connection.
            })?;
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Returns the address that the server listens on.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for ServiceThread {
    fn drop(&mut self) {
        // The thread ends when the sender is dropped.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was already printed.
            let _ = thread.join();
        }
    }
}
