//! S3 and other remote stores, through `object_store`.
