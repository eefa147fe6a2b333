//! Every rule of the contract on every runtime and transport that this project has.

use std::rc::Rc;

use asyncnet_async_std::AsyncStd;
use asyncnet_conformance::rules::TABLE;
use asyncnet_conformance::{Executor, Platform, Random, Single, Whole, pipe, platform};
use asyncnet_smol::Smol;
use asyncnet_tokio::Tokio;
use tokio::runtime::{Builder, Runtime};

fn spawn_on_tokio<T: Send + 'static>(
    task: impl Future<Output = T> + Send + 'static,
) -> impl Future<Output = T> {
    let task = tokio::spawn(task);
    async { task.await.expect("the task ends") }
}

fn block_on_tokio<T>(mut builder: Builder, future: impl Future<Output = T>) -> T {
    let runtime: Runtime = builder.enable_all().build().expect("a runtime");
    runtime.block_on(future)
}

struct TokioCurrentThread;

impl Executor for TokioCurrentThread {
    fn block_on<T>(future: impl Future<Output = T>) -> T {
        block_on_tokio(Builder::new_current_thread(), future)
    }

    fn spawn<T: Send + 'static>(
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = T> {
        spawn_on_tokio(task)
    }
}

impl Platform for TokioCurrentThread {
    type Runtime = Tokio;
}

struct TokioMultiThread;

impl Executor for TokioMultiThread {
    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(2);
        block_on_tokio(builder, future)
    }

    fn spawn<T: Send + 'static>(
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = T> {
        spawn_on_tokio(task)
    }
}

impl Platform for TokioMultiThread {
    type Runtime = Tokio;
}

struct AsyncStdGlobal;

impl Executor for AsyncStdGlobal {
    fn block_on<T>(future: impl Future<Output = T>) -> T {
        async_std::task::block_on(future)
    }

    fn spawn<T: Send + 'static>(
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = T> {
        async_std::task::spawn(task)
    }
}

impl Platform for AsyncStdGlobal {
    type Runtime = AsyncStd;
}

struct SmolGlobal;

impl Executor for SmolGlobal {
    fn block_on<T>(future: impl Future<Output = T>) -> T {
        smol::block_on(future)
    }

    fn spawn<T: Send + 'static>(
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = T> {
        smol::spawn(task)
    }
}

impl Platform for SmolGlobal {
    type Runtime = Smol;
}

struct SmolLocal;

thread_local! {
    static LOCAL: Rc<smol::LocalExecutor<'static>> = Rc::default();
}

impl Executor for SmolLocal {
    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let executor = LOCAL.with(Rc::clone);
        smol::block_on(executor.run(future))
    }

    fn spawn<T: Send + 'static>(
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = T> {
        LOCAL.with(|executor| executor.spawn(task))
    }
}

impl Platform for SmolLocal {
    type Runtime = Smol;
}

pipe!(memory_whole: Whole);
pipe!(memory_single: Single);
pipe!(memory_random: Random);
platform!(tokio_current_thread: TokioCurrentThread);
platform!(tokio_multi_thread: TokioMultiThread);
platform!(async_std_global: AsyncStdGlobal);
platform!(smol_global: SmolGlobal);
platform!(smol_local: SmolLocal);

/// A test that nobody listed would never run.
#[test]
fn every_test_is_in_the_table() {
    let sources = [
        ("addresses", include_str!("../src/rules/addresses.rs")),
        ("blocks", include_str!("../src/rules/blocks.rs")),
        ("closing", include_str!("../src/rules/closing.rs")),
        ("connecting", include_str!("../src/rules/connecting.rs")),
        ("counting", include_str!("../src/rules/counting.rs")),
        ("datagrams", include_str!("../src/rules/datagrams.rs")),
        ("draining", include_str!("../src/rules/draining.rs")),
        ("ends", include_str!("../src/rules/ends.rs")),
        ("lines", include_str!("../src/rules/lines.rs")),
        ("listening", include_str!("../src/rules/listening.rs")),
        ("messages", include_str!("../src/rules/messages.rs")),
        ("options", include_str!("../src/rules/options.rs")),
        ("paths", include_str!("../src/rules/paths.rs")),
        ("proxied", include_str!("../src/rules/proxied.rs")),
        ("sending", include_str!("../src/rules/sending.rs")),
        ("both_ways", include_str!("../src/rules/both_ways.rs")),
        ("rooms", include_str!("../src/rules/rooms.rs")),
        ("settings", include_str!("../src/rules/settings.rs")),
        ("sharing", include_str!("../src/rules/sharing.rs")),
        ("signals", include_str!("../src/rules/signals.rs")),
        ("tls_ends", include_str!("../src/rules/tls_ends.rs")),
        ("tls_floods", include_str!("../src/rules/tls_floods.rs")),
        ("tls_handshakes", include_str!("../src/rules/tls_handshakes.rs")),
        ("tls_listen", include_str!("../src/rules/tls_listen.rs")),
        ("tls_paths", include_str!("../src/rules/tls_paths.rs")),
        ("tls_serving", include_str!("../src/rules/tls_serving.rs")),
        ("tls_trust", include_str!("../src/rules/tls_trust.rs")),
        ("tls_upgrade", include_str!("../src/rules/tls_upgrade.rs")),
    ];
    for (file, source) in sources {
        for line in source.lines() {
            let Some(rest) = line.strip_prefix("pub async fn ") else {
                continue;
            };
            let name = rest.split('<').next();
            let listed = |test: &asyncnet_conformance::rules::Test| {
                test.file == file && Some(test.name) == name
            };
            assert!(TABLE.iter().any(listed), "{rest} is not in the table");
        }
    }
}
