# Cumulative link mixed models of ordinal::clmm, ten quadrature nodes, one fit a data set.
#   Rscript clmm.R FOLDER REPEATS
# FOLDER holds lesions.csv (set, patient, y, x1, x2, ...). Writes clmm_estimates.csv (ok, slopes,
# sigma, log-likelihood; one line a set) and clmm_seconds.csv (of each set, median of REPEATS).
arguments <- commandArgs(trailingOnly = TRUE)
folder <- arguments[1]
repeats <- as.integer(arguments[2])
suppressMessages(library(ordinal))
lesions <- read.csv(file.path(folder, "lesions.csv"))
slopes <- setdiff(names(lesions), c("set", "patient", "y"))
formula <- reformulate(c(slopes, "(1 | patient)"), "y")
sets <- lapply(split(lesions, lesions$set), function(part) {
  part$y <- factor(part$y)
  part$patient <- factor(part$patient)
  part
})
refit <- function(part) suppressWarnings(clmm(formula, data = part, nAGQ = 10))
invisible(refit(sets[[1]]))
found <- t(sapply(sets, function(part) {
  fit <- refit(part)
  c(fit$optRes$convergence == 0, fit$beta[slopes], unname(unlist(fit$ST)[1]), fit$logLik)
}))
seconds <- sapply(sets, function(part) median(replicate(repeats, {
  taken <- system.time(refit(part))
  taken[["user.self"]] + taken[["sys.self"]]
})))
write.table(format(found, digits = 16), file.path(folder, "clmm_estimates.csv"),
            sep = ",", quote = FALSE, row.names = FALSE, col.names = FALSE)
writeLines(format(seconds, digits = 6), file.path(folder, "clmm_seconds.csv"))
