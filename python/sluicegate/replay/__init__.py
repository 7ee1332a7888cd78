"""Replays an access log through limiters, in the log's own time: whom would they have refused?"""
