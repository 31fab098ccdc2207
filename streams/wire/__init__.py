"""Bytes ⇄ values: input events, output messages, the changelog."""
