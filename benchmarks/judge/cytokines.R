# Values below a limit: with a complete first visit the likelihood of the pair is that of the first times a tobit
# regression of the second on it, which survreg fits. 16 pairs made up here, limit 2.5.
suppressMessages(library(survival))
y0 <- log(c(12.1, 8.4, 15.3, 22.0, 6.9, 9.8, 31.2, 18.5, 11.1, 7.7, 14.2, 25.6, 10.3, 16.8, 9.1, 13.4))
y1 <- c(5.2, 3.1, 9.9, 12.4, 2.5, 2.5, 15.8, 7.7, 4.6, 2.5, 6.1, 10.7, 2.5, 8.8, 2.5, 7.2)
measured <- y1 > 2.5
tight <- survreg.control(rel.tolerance = 1e-12, maxiter = 100)
fit <- survreg(Surv(log(y1), measured, type = "left") ~ y0, dist = "gaussian", control = tight)
sd0 <- sqrt(mean((y0 - mean(y0))^2))
say("change", coef(fit)[1] + coef(fit)[2] * mean(y0) - mean(y0))
say("log_likelihood", sum(dnorm(y0, mean(y0), sd0, log = TRUE)) + fit$loglik[2])
say("sd_after", sqrt(fit$scale^2 + coef(fit)[2]^2 * sd0^2))
# variance of the change by the delta method: of the regression at the mean, and of that mean, (n / (n - 1)) of both
pull <- c(1, mean(y0), 0)
variance <- pull %*% vcov(fit) %*% pull + (coef(fit)[2] - 1)^2 * sd0^2 / 16
say("se", sqrt(variance * 16 / 15))
