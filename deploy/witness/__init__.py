"""Whether the audit log is whole: compared with its heads that routing documents and manifests carry."""
