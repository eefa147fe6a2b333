//! Every adapter against the contract of `Runtime`. async-std's is smol's under other names.

mod on_smol {
    use async_io::block_on;
    use asyncnet_smol::{Smol as Subject, Stream};

    include!("suite.rs");

    #[cfg(unix)] // It starts `cat`, `sh` and `sort`.
    mod pipes {
        use super::*;
        include!("pipes.rs");
    }

    #[test]
    fn a_socket_of_the_runtime_itself_becomes_a_stream() {
        run(async {
            let (listener, address) = listen(&loopback(), 8);
            let address = address.as_socket().unwrap();
            let socket = smol::Async::<std::net::TcpStream>::connect(address).await.unwrap();
            let mut client = Stream::try_from(socket).unwrap();
            let (mut server, _) = accept(&listener).await;
            assert_eq!(write(&mut client, b"in").await, 2);
            let mut buf = [0; 8];
            assert_eq!(read(&mut server, &mut buf).await, 2);
        });
    }

    #[test]
    fn a_socket_of_async_std_becomes_a_stream() {
        run(async {
            let (listener, address) = listen(&loopback(), 8);
            let address = address.as_socket().unwrap();
            let socket = async_std::net::TcpStream::connect(address).await.unwrap();
            let mut client = asyncnet_async_std::tcp_stream(socket).unwrap();
            let (mut server, _) = accept(&listener).await;
            assert_eq!(write(&mut client, b"in").await, 2);
            let mut buf = [0; 8];
            assert_eq!(read(&mut server, &mut buf).await, 2);
        });
    }
}

mod on_tokio {
    use asyncnet_tokio::{Stream, Tokio as Subject, TokioIo};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    fn block_on<F: Future>(future: F) -> F::Output {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(future)
    }

    include!("suite.rs");

    #[cfg(unix)] // It starts `cat`, `sh` and `sort`.
    mod pipes {
        use super::*;
        include!("pipes.rs");
    }

    #[test]
    fn a_task_without_budget_still_writes() {
        run(async {
            let (mut client, _server) = pair(&loopback()).await;
            Subject::sleep(Duration::from_millis(1)).await;
            poll_fn(|cx| {
                while pin!(tokio::task::consume_budget()).poll(cx).is_ready() {}
                let (one, two) = (b"with", [IoSlice::new(b"out")]);
                assert!(Pin::new(&mut client).poll_write(cx, one).is_ready());
                assert!(Pin::new(&mut client).poll_write_vectored(cx, &two).is_ready());
                Poll::Ready(())
            })
            .await;
        });
    }

    #[test]
    fn a_socket_of_the_runtime_itself_becomes_a_stream() {
        run(async {
            let (listener, address) = listen(&loopback(), 8);
            let address = address.as_socket().unwrap();
            let socket = tokio::net::TcpStream::connect(address).await.unwrap();
            let mut client = Stream::from(socket);
            let (mut server, _) = accept(&listener).await;
            assert_eq!(write(&mut client, b"in").await, 2);
            let mut buf = [0; 8];
            assert_eq!(read(&mut server, &mut buf).await, 2);
        });
    }

    #[test]
    fn a_stream_gives_the_socket_back() {
        run(async {
            let (client, _server) = pair(&loopback()).await;
            assert!(client.into_tcp().is_ok());
        });
    }

    #[test]
    fn a_stream_and_a_wrapped_connection_have_the_traits_of_tokio() {
        run(async {
            let (mut client, server) = pair(&loopback()).await;
            let mut server = TokioIo(server.into_connection(asyncnet::Config::default()));
            client.write_all(b"question").await.unwrap();
            client.shutdown().await.unwrap();
            let mut said = Vec::new();
            server.read_to_end(&mut said).await.unwrap();
            assert_eq!(said, b"question");
            server.write_all(b"answer").await.unwrap();
            server.shutdown().await.unwrap();
            said.clear();
            client.read_to_end(&mut said).await.unwrap();
            assert_eq!(said, b"answer");
        });
    }

    #[test]
    fn the_clock_follows_a_paused_runtime() {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().start_paused(true).build().unwrap().block_on(async {
            let mut clock = Subject::clock();
            let start = clock.now();
            let day = Duration::from_secs(86_400);
            poll_fn(|cx| clock.poll_alarm(cx, start + day)).await;
            assert!(clock.now().since(start) >= day);
        });
    }
}
