"""What the losses share: batches, closed-form gradients, class weights, sums."""
