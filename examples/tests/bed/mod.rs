//! What the tests of the examples share.

/// Makes a test of each `async fn name<P: Platform>() -> Result<(), Error>`, on every runtime, and bounds it in time.
#[macro_export]
macro_rules! on_every_runtime {
    ($($name:ident)*) => {
        $crate::on_every_runtime!(tokio OnTokio: $($name)*);
        $crate::on_every_runtime!(smol OnSmol: $($name)*);
        $crate::on_every_runtime!(async_std OnAsyncStd: $($name)*);
    };
    ($runtime:ident $platform:ident: $($name:ident)*) => {
        mod $runtime {
            use asyncnet_examples::{$platform, Platform};

            $(#[test]
            fn $name() {
                let test = $crate::bed::bounded::<$platform, _>(super::$name::<$platform>());
                <$platform as Platform>::block_on(test).expect("no call fails");
            })*
        }
    };
}

use std::time::Duration;

use asyncnet::{Error, Runtime as _};
use asyncnet_examples::Platform;
use futures_lite::future::or;

/// A test, within a minute.
pub(crate) async fn bounded<P: Platform, T>(
    test: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let limit = async {
        P::Runtime::sleep(Duration::from_secs(60)).await;
        panic!("the test hangs");
    };
    or(test, limit).await
}
