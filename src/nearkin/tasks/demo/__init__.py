"""The demo: what an embedding is and does, step by step, on emoji.

`words` are asked and were written before any figure was known; `snapshots` are pictures of emoji as a camera might see
them; `material` is what the steps share: features, trained heads, a gallery; `heads` trains them; `steps` are told one
after the other; `drawing` draws for them; `page` is the page with all of it.
"""
