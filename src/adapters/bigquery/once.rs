//! What is asked once a run, however many apps want it at once. An error is not kept: the next one asks again.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

/// Answers by their question.
pub struct Once<K, V>(Mutex<HashMap<K, Arc<OnceCell<V>>>>);

impl<K, V> Default for Once<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Hash + Eq, V: Clone> Once<K, V> {
    /// The answer that is known, or that of `ask`. Whoever comes meanwhile waits for the same answer.
    ///
    /// # Errors
    /// That of `ask`, which is then forgotten.
    pub async fn get<E>(&self, key: K, ask: impl Future<Output = Result<V, E>>) -> Result<V, E> {
        let cell = self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().clone();
        cell.get_or_try_init(|| ask).await.cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_is_kept_and_an_error_is_not() {
        let known: Once<&str, u32> = Once::default();
        assert_eq!(known.get("a", async { Err("down") }).await, Err("down"));
        assert_eq!(known.get("a", async { Ok::<_, &str>(1) }).await, Ok(1));
        assert_eq!(known.get("a", async { Ok::<_, &str>(2) }).await, Ok(1));
        assert_eq!(known.get("b", async { Ok::<_, &str>(3) }).await, Ok(3));
    }
}
