# One cell of planning as a loop over ordinal::clm: draw a study, fit it, keep the P of MIB1.
#   Rscript planning_cell.R FOLDER REPLICATES REPEATS
# FOLDER holds counts.csv (patients by score before and after), values.csv (doublings of MIB1 from
# their mean) and cell.csv (patients, odds_ratio, prior). What is drawn is what captem.planning_draw
# draws of a cell whose baseline and change are observed, without drop-out or reading errors.
# Writes R_seconds.csv (processor seconds of each repeat) and R_power.csv (power, share not fitted).
suppressMessages(library(ordinal))
arguments <- commandArgs(trailingOnly = TRUE)
folder <- arguments[1]
replicates <- as.integer(arguments[2])
repeats <- as.integer(arguments[3])
counts <- as.matrix(read.csv(file.path(folder, "counts.csv"), header = FALSE))
values <- scan(file.path(folder, "values.csv"), quiet = TRUE)
cell <- read.csv(file.path(folder, "cell.csv"))
n <- cell$patients
effect <- log(cell$odds_ratio)
baseline <- rowSums(counts) + cell$prior
change <- t(counts + cell$prior)
one <- function() {
  shares <- rgamma(5, baseline)
  rows <- matrix(rgamma(25, change), 5)
  above <- t(1 - apply(rows, 2, cumsum)[1:4, ] / rep(colSums(rows), each = 4))
  before <- sample.int(5, n, TRUE, shares)
  mib1 <- values[sample.int(length(values), n, TRUE)]
  raised <- above[before, ] * exp(effect * mib1)
  after <- rowSums(runif(n) < raised / (1 - above[before, ] + raised))
  study <- list(after = factor(after), before = before, mib1 = mib1)
  fit <- clm(after ~ before + mib1, data = study)
  2 * pnorm(-abs(fit$beta[["mib1"]]) / sqrt(vcov(fit)["mib1", "mib1"]))
}
every <- function(count) {
  found <- numeric(count)
  for (r in seq_len(count)) {
    found[r] <- tryCatch(suppressWarnings(one()), error = function(e) NA_real_)
  }
  found
}
set.seed(60)
found <- every(min(50, replicates))
seconds <- replicate(repeats, {
  taken <- system.time(found <<- every(replicates))
  taken[["user.self"]] + taken[["sys.self"]]
})
writeLines(format(seconds, digits = 6), file.path(folder, "R_seconds.csv"))
writeLines(format(c(mean(found <= 0.05, na.rm = TRUE), mean(is.na(found))), digits = 6),
           file.path(folder, "R_power.csv"))
