"""One file for each way to score a class; see `nearkin.recognition.scorer`."""
