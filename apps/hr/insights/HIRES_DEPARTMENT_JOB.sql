-- Employees hired per department and job in each quarter of a year.
-- Those whose department or job is not known are not counted.
--
-- parameter year integer = 2021: year of hiring
-- column department text: name of the department
-- column job text: name of the job
-- column q1 bigint: hired from January to March
-- column q2 bigint: hired from April to June
-- column q3 bigint: hired from July to September
-- column q4 bigint: hired from October to December
-- table departments
-- table jobs
-- table hired_employees
-- order by department, job
select
  d.department,
  j.job,
  sum(case when extract(month from e.datetime) between 1 and 3 then 1 else 0 end) as q1,
  sum(case when extract(month from e.datetime) between 4 and 6 then 1 else 0 end) as q2,
  sum(case when extract(month from e.datetime) between 7 and 9 then 1 else 0 end) as q3,
  sum(case when extract(month from e.datetime) between 10 and 12 then 1 else 0 end) as q4
from hired_employees e
join departments d on d.id = e.department_id
join jobs j on j.id = e.job_id
where extract(year from e.datetime) = :year
group by d.department, j.job
