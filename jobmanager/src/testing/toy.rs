//! A source of two splits that ends, and nothing to read them with: the fake task manager does not read.

use std::sync::Arc;

use async_trait::async_trait;
use dataflow::contract::{
    Connector, Description, Discovery, Enumerator, EnumeratorContext, InvalidOptions, Reader, ReaderContext, Shape,
    SourceConnector, Split,
};
use dataflow::{Failure, Registry};
use serde_json::{Value, json};

struct Toy;

struct ToyEnumerator {
    found: bool,
}

/// A registry of the toy alone.
pub(crate) fn toys() -> Arc<Registry> {
    Arc::new(Registry::new(vec![Arc::new(Toy)], Vec::new()))
}

impl Connector for Toy {
    fn name(&self) -> &'static str {
        "toy"
    }

    fn describe(&self) -> Description {
        Description {
            summary: "Two splits.",
            guarantee: None,
            examples: &[],
        }
    }

    fn source(&self) -> Option<&dyn SourceConnector> {
        Some(self)
    }
}

impl SourceConnector for Toy {
    fn schema(&self) -> Value {
        json!({})
    }

    fn plan(&self, _options: &Value) -> Result<Shape, InvalidOptions> {
        Ok(Shape::Bytes)
    }

    fn enumerator(
        &self,
        _options: &Value,
        _context: EnumeratorContext,
        restored: Option<Value>,
    ) -> Result<Box<dyn Enumerator>, Failure> {
        Ok(Box::new(ToyEnumerator {
            found: restored.is_some(),
        }))
    }

    fn reader(&self, _options: &Value, _context: ReaderContext) -> Result<Box<dyn Reader>, Failure> {
        Err(Failure::bug("nobody reads at a job manager"))
    }
}

#[async_trait]
impl Enumerator for ToyEnumerator {
    async fn discover(&mut self) -> Result<Discovery, Failure> {
        let split = |id: &str| Split {
            id: id.to_owned(),
            spec: json!(id),
            position: Value::Null,
        };
        let splits = if self.found {
            Vec::new()
        } else {
            vec![split("one"), split("two")]
        };
        self.found = true;
        Ok(Discovery {
            splits,
            next: None,
            bytes: Some(100),
        })
    }

    fn snapshot(&self) -> Value {
        json!({ "found": self.found })
    }
}
